"""Extractions in one process: every picture once, whatever happens, and a reason for each that has no descriptor."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mean_colours import Means, mean
from PIL import Image

from hicmd_tf.data.sources.folder import anything
from hicmd_tf.errors import UserError
from hicmd_tf.extraction import job as jobs
from hicmd_tf.extraction.describers import BATCH, described
from hicmd_tf.extraction.job import LIST, Out
from hicmd_tf.extraction.listed import Picture, of_records, read_part, samples_of, write_list
from hicmd_tf.extraction.run import Done, Wanted, extract
from hicmd_tf.extraction.work import Place
from hicmd_tf.notation import MODALITIES
from hicmd_tf.retrieval.stored import read_descriptors, write_descriptors

BAD = {"cam1_cut.png": "can't be decoded", "cam1_vast.png": "has 60000 x 60000", "cam1_wrong.jpg": "can't be decoded"}


def run(model: Any, folder: Path, out: str, ray: Any = None, **options: Any) -> Done:
    """An extraction of a folder's pictures."""

    def begin() -> Iterable[Picture]:
        listing = anything(folder, None)
        return of_records(listing.records, listing.texts)

    options = {"size": 4, **options}
    return extract(Wanted(Out.of(out), {"--images": str(folder)}, Place(str(folder), ""), **options), model, begin, ray)


def oracle(folder: Path) -> dict[str, np.ndarray]:
    """Descriptors of the pictures that can be used, by name."""
    found = {}
    for file in folder.rglob("*"):
        if file.is_file() and file.name not in BAD:
            with Image.open(file) as picture:
                found[file.relative_to(folder).as_posix()] = mean(np.asarray(picture), file.parent.name)
    return found


@pytest.mark.parametrize("name", ["d.npz", "d.parquet", "parts"])
def test_every_picture_is_described_or_has_a_reason(name: str, pictures: Path, means: Means, tmp_path: Path) -> None:
    done = run(means, pictures, str(tmp_path / name))
    assert (done.manifest.rows, done.summary.described, done.summary.failed, done.fresh) == (15, 12, 3, 15)
    found = read_descriptors(tmp_path / name)
    wanted = oracle(pictures)
    assert found.samples.names == sorted(wanted) and found.model == means.digest
    np.testing.assert_allclose(found.descriptors, [wanted[one] for one in sorted(wanted)], rtol=1e-6)
    assert {Path(one).name for one in found.failed} == {*BAD}
    for one, why in found.failed.items():
        assert why.startswith(BAD[Path(one).name])
    samples = found.samples
    for row, one in enumerate(samples.names):
        assert (samples.identity(row), samples.modality(row)) == tuple(Path(one).parts[:2])
        assert samples.camera(row) == Path(one).name[3]
    left = {file.name for file in tmp_path.iterdir()} - {"pictures"}
    assert left == {name}  # nothing beside it


def test_arrays_come_in_one_order(pictures: Path, means: Means, tmp_path: Path) -> None:
    run(means, pictures, str(tmp_path / "d.npz"))
    wanted = "descriptors identities cameras modality names identity_texts camera_texts failed errors model extraction"
    with np.load(tmp_path / "d.npz") as arrays:
        assert sorted(arrays.files) == sorted(wanted.split())
        kept = [name for name in arrays.files if name not in ("failed", "errors")]  # of a later part, perhaps
        assert kept == [name for name in wanted.split() if name in kept]


def test_parquet_is_what_other_programs_read(pictures: Path, means: Means, tmp_path: Path) -> None:
    run(means, pictures, str(tmp_path / "parts"))
    table = pq.read_table(tmp_path / "parts")  # which passes over what is ours
    assert str(table.schema.field("descriptor").type) == "fixed_size_list<element: float not null>[3]"
    rows = table.to_pylist()
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows) and len(rows) == 15
    for row in rows:
        assert (row["descriptor"] is None) == (row["error"] is not None) and row["model"] == means.digest
    assert [len(pq.read_table(file)) for file in sorted((tmp_path / "parts").glob("*.parquet"))] == [4, 4, 4, 3]


@pytest.mark.parametrize("name", ["d.npz", "d.parquet", "parts"])
def test_what_was_stopped_goes_on_with_what_is_missing(name: str, pictures: Path, means: Means, tmp_path: Path) -> None:
    out = str(tmp_path / name)
    folder, written = Out.of(out).folder, list[int]()
    put = jobs.Job._write

    class Stopped(BaseException):
        """As a signal."""

    def stop(self: jobs.Job, part: int, found: Any) -> None:
        if len(written) == 2:
            (folder / ".part-000002.parquet.01234567.tmp").write_text("half")  # as a kill leaves it
            raise Stopped
        written.append(part)
        put(self, part, found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs.Job, "_write", stop)
        with pytest.raises(Stopped):
            run(means, pictures, out)
    before = {file.name: file.stat().st_mtime_ns for file in folder.glob("part-*")}
    assert len(before) == 2
    (pictures / "p2/visible/cam1_late.png").write_bytes((pictures / "p0/visible/cam1_00.png").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        kept = dict[str, int]()
        finish = jobs.Job.finish
        patch.setattr(
            jobs.Job,
            "finish",
            lambda self: (kept.update({f.name: f.stat().st_mtime_ns for f in folder.glob("part-*")}), finish(self)),
        )
        done = run(means, pictures, out)
    assert kept.items() >= before.items() and not list(folder.glob(".*"))
    assert done.fresh == 7 and done.manifest.rows == 15  # the late one is not of this extraction
    found = read_descriptors(tmp_path / name)
    assert len(found.samples) == 12 and len(found.failed) == 3


def contents(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Every file with its time, but for the lock."""
    return {
        file: (file.stat().st_mtime_ns, file.read_bytes())
        for file in folder.rglob("*")
        if file.is_file() and file.name != "_lock"
    }


@pytest.mark.parametrize("name", ["d.npz", "d.parquet", "parts"])
def test_what_is_finished_is_left_as_it_is(
    name: str, pictures: Path, means: Means, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run(means, pictures, str(tmp_path / name))
    before = contents(tmp_path)
    done = run(means, pictures, str(tmp_path / name), size=None)
    assert (done.fresh, done.manifest, done.summary) == (0, first.manifest, first.summary)
    assert before == contents(tmp_path)
    assert f"{name}: 15 of 15 pictures are there already" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["d.npz", "d.parquet", "parts"])
def test_again_makes_the_parts_with_errors_anew(name: str, pictures: Path, means: Means, tmp_path: Path) -> None:
    run(means, pictures, str(tmp_path / name))
    for bad in BAD:
        (pictures / "p0/visible" / bad).write_bytes((pictures / "p0/visible/cam1_00.png").read_bytes())
    assert run(means, pictures, str(tmp_path / name)).summary.failed == 3
    done = run(means, pictures, str(tmp_path / name), again=True)
    assert done.summary.failed == 0 and done.fresh in ((4, 8) if name == "parts" else (15,))
    assert len(read_descriptors(tmp_path / name).samples) == 15
    assert run(means, pictures, str(tmp_path / name), again=True).fresh == 0


@pytest.mark.parametrize("name", ["d.npz", "d.parquet", "parts"])
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": Means("e" * 64)}, "was begun with the model dddddddddddd, this is eeeeeeeeeeee"),
        ({"size": 5}, "was begun with --part 4, now it is 5"),
        ({"folder": "another"}, "was begun with --images .*pictures, now it is .*another"),
        ({"digest": "f" * 64}, "was begun with another content of"),
    ],
)
def test_another_extraction_in_the_same_place_is_refused(
    name: str, changed: dict[str, Any], said: str, pictures: Path, means: Means, tmp_path: Path
) -> None:
    run(means, pictures, str(tmp_path / name))
    before, other = contents(tmp_path), dict(changed)
    model, folder = other.pop("model", means), tmp_path / other.pop("folder", "pictures")
    with pytest.raises(UserError, match=said):
        run(model, folder, str(tmp_path / name), **other)
    assert before == contents(tmp_path)


@pytest.mark.parametrize("name", ["d.npz", "d.parquet", "parts"])
def test_again_keeps_what_can_not_be_described_any_more(
    name: str, pictures: Path, means: Means, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, files = tmp_path / name, sorted(pictures.glob("*/*/*"))
    Image.new("RGB", (8, 8)).save(pictures / "p0/visible/cam1_00.png")  # nearly constant
    run(means, pictures, str(place))
    before, bytes_of = read_descriptors(place), {file: file.read_bytes() for file in files}
    for file in files:
        file.write_bytes(b"away")
    done = run(means, pictures, str(place), again=True)
    assert (done.summary.described, done.summary.failed, done.summary.flat) == (12, 3, 1)
    found = read_descriptors(place)
    assert found.samples.names == before.samples.names and {*found.failed} == {*before.failed}
    np.testing.assert_array_equal(found.descriptors, before.descriptors)
    kept = "1 picture" if name == "parts" else "12 pictures"  # of parts the one that has such
    assert f"{name}: {kept} can't be used any more, and kept the descriptors of before" in capsys.readouterr().out
    for file, content in bytes_of.items():
        file.write_bytes(content)
    (pictures / "p0/visible/cam1_cut.png").write_bytes(bytes_of[pictures / "p0/visible/cam1_02.png"])
    assert run(means, pictures, str(place), again=True).summary.failed == 2
    assert len(read_descriptors(place).samples) == 13


@pytest.mark.parametrize("name", ["d.npz", "d.parquet", "parts"])
def test_again_with_another_model_is_refused(name: str, pictures: Path, means: Means, tmp_path: Path) -> None:
    assert run(means, pictures, str(tmp_path / name)).summary.failed
    before = contents(tmp_path)
    with pytest.raises(UserError, match="was begun with the model dddddddddddd, this is eeeeeeeeeeee"):
        run(Means("e" * 64), pictures, str(tmp_path / name), again=True)
    assert before == contents(tmp_path) and not (tmp_path / f"{name}.parts").exists()


@pytest.mark.parametrize("name", ["d.npz", "d.parquet"])
def test_a_file_that_does_not_say_what_it_is_of_is_not_replaced(
    name: str, pictures: Path, means: Means, tmp_path: Path
) -> None:
    file = tmp_path / name
    for content in (b"", b"a thesis", (pictures / "p0/visible/cam1_00.png").read_bytes()):
        file.write_bytes(content)
        with pytest.raises(UserError, match=r"exists already, and is no extraction .*: name another --out, or delete"):
            run(means, pictures, str(file))
        assert file.read_bytes() == content
    file.unlink()
    run(means, pictures, str(file))
    found = read_descriptors(file)
    write_descriptors(file, found.descriptors, found.samples, found.model)  # as earlier versions wrote it
    before = contents(tmp_path)
    with pytest.raises(UserError, match=r"exists already, and is no extraction .*: name another --out, or delete"):
        run(means, pictures, str(file), again=True)
    assert before == contents(tmp_path)


@pytest.mark.parametrize("name", ["d.npz", "d.parquet"])
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("deleted", [0, 1, 3])
def test_killed_after_the_file_is_whole_the_same_command_cleans_up(
    deleted: int, again: bool, name: str, pictures: Path, means: Means, tmp_path: Path
) -> None:
    class Killed(BaseException):
        """As a signal."""

    unlink, left = Path.unlink, [deleted]

    def kill(self: Path, missing_ok: bool = False) -> None:
        if self.parent.name == f"{name}.parts":
            if not left[0]:
                raise Killed
            left[0] -= 1
        unlink(self, missing_ok)

    for bad in BAD if again else ():
        (pictures / "p0/visible" / bad).unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", kill)
        with pytest.raises(Killed):
            run(means, pictures, str(tmp_path / name))
    before = read_descriptors(tmp_path / name)
    assert (tmp_path / f"{name}.parts").exists()
    done = run(means, pictures, str(tmp_path / name), again=again)
    assert done.fresh == 0 and not (tmp_path / f"{name}.parts").exists()
    np.testing.assert_array_equal(read_descriptors(tmp_path / name).descriptors, before.descriptors)


@pytest.mark.parametrize("name", ["d.npz", "d.parquet"])
def test_parts_of_a_file_that_is_gone_are_not_taken_for_new_ones(
    name: str, pictures: Path, means: Means, tmp_path: Path
) -> None:
    folder = tmp_path / f"{name}.parts"
    folder.mkdir()
    (folder / f"part-000001{Path(name).suffix}").write_text("old")
    assert run(means, pictures, str(tmp_path / name)).fresh == 15 and not folder.exists()


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("put", [False, True])
def test_what_can_not_begin_deletes_only_what_it_wrote(own: bool, put: bool, means: Means, tmp_path: Path) -> None:
    out = tmp_path / "parts"
    if own:
        out.mkdir()

    def begin() -> Iterable[Picture]:
        yield Picture("a.png", "visible")
        if put:
            (out / "thesis.tex").write_text("all of it")
        yield Picture("a.png", "visible")

    with pytest.raises(UserError, match=r"a\.png is listed twice"):
        extract(Wanted(Out.of(str(out)), {"--images": "i"}, Place("", ""), size=4), means, begin)
    assert out.exists() == (own or put)
    assert not out.exists() or [file.name for file in out.iterdir()] == ["thesis.tex"] * put


def test_a_folder_of_anything_else_is_refused(pictures: Path, means: Means, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    with pytest.raises(UserError, match="exists already and is no extraction: name another --out"):
        run(means, pictures, str(tmp_path / "full"))
    with pytest.raises(ValueError, match=r"ends in \.csv, expected \.npz, \.parquet, or a folder"):
        Out.of("d.csv")
    for name in ("x.npz", "x.parquet"):
        (tmp_path / name).mkdir()
        with pytest.raises(ValueError, match=r"is a folder, and means a file: end its name with /"):
            Out.of(str(tmp_path / name))
        assert not Out.of(f"{tmp_path / name}/").single
    with pytest.raises(ValueError, match="is a URL, expected a place on this machine"):
        Out.of("s3://bucket/d/")
    assert Out.of("2026.11/").kind == ".parquet" and not Out.of("2026.11/").single


def test_a_list_that_is_damaged_or_gone_is_named(pictures: Path, means: Means, tmp_path: Path) -> None:
    run(means, pictures, str(tmp_path / "d"))
    (tmp_path / "d" / "part-000001.parquet").unlink()
    for spoil in (lambda file: file.write_bytes(file.read_bytes()[:40]), Path.unlink):
        spoil(tmp_path / "d" / LIST)
        with pytest.raises(UserError, match=f"{LIST} is damaged or not there: delete its folder, and begin again"):
            run(means, pictures, str(tmp_path / "d"))


def test_an_unfinished_folder_is_not_read(pictures: Path, means: Means, tmp_path: Path) -> None:
    run(means, pictures, str(tmp_path / "parts"))
    (tmp_path / "parts" / "part-000001.parquet").unlink()
    with pytest.raises(UserError, match="has 3 of 4 parts: finish it with the hicmd extract that began it"):
        read_descriptors(tmp_path / "parts")


@given(st.lists(st.tuples(st.sampled_from(MODALITIES), st.integers(1, 3)), max_size=150))
def test_batches_are_of_one_modality_and_lose_nothing(pictures: list[tuple[Any, int]]) -> None:
    seen = list[int]()

    def describe(some: Any, modality: str) -> np.ndarray:
        assert len(some) <= BATCH
        seen.append(len(some))
        return np.array([mean(one, modality) for one in some])

    each = [(row, m, np.full((side, side, 3), row, np.uint8)) for row, (m, side) in enumerate(pictures)]
    found = {row: values for rows, many in described(describe, each) for row, values in zip(rows, many, strict=True)}
    assert found.keys() == set(range(len(pictures))) and sum(seen) == len(pictures)
    for row, m, picture in each:
        np.testing.assert_allclose(found[row], mean(picture, m))


@given(
    st.lists(
        st.builds(
            Picture,
            st.text(min_size=1).filter(lambda text: "\0" not in text),
            st.sampled_from(MODALITIES),
            st.sampled_from(["", "12", "anna", "Zoë"]),
            st.sampled_from(["", "3", "gate"]),
            st.just(""),
            st.none() | st.floats(0, 1e10),
        ),
        min_size=1,
        max_size=20,
        unique_by=lambda one: one.path,
    ),
    st.integers(1, 7),
)
def test_a_list_comes_back_part_by_part(tmp_path: Path, pictures: list[Picture], part: int) -> None:
    listed = write_list(tmp_path / "list.gz", pictures, part, "i.csv")
    parts = [read_part(tmp_path / "list.gz", listed.offsets, number) for number in range(len(listed.offsets) - 1)]
    assert [one for some in parts for one in some] == pictures and all(len(some) == part for some in parts[:-1])
    assert listed.rows == len(pictures) and listed.cameras == any(one.camera for one in pictures)
    samples = samples_of(pictures, listed.cameras)
    for row, one in enumerate(pictures):
        assert samples.identity(row) == (one.identity or "unknown")
        assert samples.camera(row) == one.camera or not one.camera
    assert listed.people == sorted({number for number in samples.identities.tolist() if number >= 0})


def test_what_can_not_be_a_list_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "list.gz"
    for part in (1, 2, 3):
        twice = [Picture("b.png", "visible"), Picture("a.png", "visible"), Picture("c.png", "visible")]
        with pytest.raises(UserError, match=r"^i\.csv: a\.png is listed twice, as pictures 2 and 4 of it"):
            write_list(file, [*twice, Picture("a.png", "infrared")], part, "i.csv")
    with pytest.raises(UserError, match=r"^i\.csv: track t1 is of two people, anna in a\.png and bob in b\.png"):
        people = [Picture("a.png", "visible", "anna", "", "t1"), Picture("b.png", "visible", "bob", "", "t1")]
        write_list(file, people, 1, "i.csv")
    with pytest.raises(UserError, match=r"^i\.csv lists no picture"):
        write_list(file, [], 1, "i.csv")
    assert not list(tmp_path.iterdir())


KILLED = """
import sys, time
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from mean_colours import Means
from test_extraction import run
from hicmd_tf.extraction.describers import Opened

class Slow(Means):
    def open(self):
        opened = super().open()
        def describe(*given):
            time.sleep(0.05)
            return opened.describe(*given)
        return opened._replace(describe=describe)

folder = Path(sys.argv[1])
run(Slow(), folder, str(folder.parent / "parts"), size=2)
"""


def test_killed_at_any_moment_nothing_is_lost_or_doubled(pictures: Path, means: Means, tmp_path: Path) -> None:
    places = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "data"), str(Path(__file__).parents[2])]
    command = [sys.executable, "-c", KILLED, str(pictures), *places]
    for parts in (0, 1, 3):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and len(list((tmp_path / "parts").glob("part-*"))) < parts:
                time.sleep(0.005)
            os.kill(process.pid, signal.SIGKILL) if process.poll() is None else None
    run(means, pictures, str(tmp_path / "parts"), size=2)
    names = [row["path"] for row in pq.read_table(tmp_path / "parts").to_pylist()]
    assert sorted(names) == sorted(one.relative_to(pictures).as_posix() for one in pictures.rglob("*.*g"))
    manifest = json.loads((tmp_path / "parts" / "_extraction.json").read_text())
    assert manifest["rows"] == len(names) == 15
