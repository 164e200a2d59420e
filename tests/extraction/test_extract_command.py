"""`hicmd extract` as it is typed, with a real run, and who reads what it writes."""

import contextlib
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hicmd_tf
from hicmd_tf import commands
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.stored import read_descriptors, write_descriptors
from hicmd_tf.search import Gallery


def test_a_folder_an_index_and_parquet_have_the_descriptors_of_embed(
    smoke_run: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = sorted(one.relative_to(pictures).as_posix() for one in pictures.rglob("*.*g"))
    rows = [{"path": name, "modality": Path(name).parts[1], "identity": Path(name).parts[0]} for name in names]
    pq.write_table(pa.Table.from_pylist(rows), pictures / "index.parquet")
    asked = {"a.npz": str(pictures), "b.parquet": str(pictures), "c": str(pictures / "index.parquet")}
    with contextlib.chdir(tmp_path):
        for out, images in asked.items():
            with pytest.warns(
                UserWarning, match=r"^3 of 15 pictures can't be used and have no descriptor: p0/visible/cam1"
            ):
                extracted = ["--run", os.path.relpath(smoke_run), "--images", os.path.relpath(images), "--out", out]
                commands.main(["extract", *extracted, "--part", "4"])
    assert "a.npz: 12 descriptors of length 16, 15 pictures in" in capsys.readouterr().out
    model, found = hicmd_tf.load(smoke_run), [read_descriptors(tmp_path / out) for out in asked]
    wanted = [model.embed(pictures / name, Path(name).parts[1])[0] for name in found[0].samples.names]  # type: ignore[arg-type]
    for one in found:
        assert one.samples.names == found[0].samples.names and one.model == model.descriptor.digest()
        np.testing.assert_allclose(one.descriptors, wanted, atol=1e-5)
        assert [one.samples.identity(row) for row in range(12)] == [Path(name).parts[0] for name in one.samples.names]


def test_strict_ends_with_an_error_and_all_is_written(smoke_run: Path, pictures: Path, tmp_path: Path) -> None:
    asked = ["extract", "--run", str(smoke_run), "--images", str(pictures), "--out", str(tmp_path / "d"), "--strict"]
    with pytest.raises(UserError, match=r"^3 of 15 pictures can't be used .*; \S*/d has the reason of each$"):
        commands.main(asked)
    assert len(read_descriptors(tmp_path / "d").samples) == 12
    for name in ("cam1_cut.png", "cam1_vast.png", "cam1_wrong.jpg"):
        (pictures / "p0/visible" / name).write_bytes((pictures / "p0/visible/cam1_00.png").read_bytes())
    commands.main([*asked, "--again"])
    assert len(read_descriptors(tmp_path / "d").samples) == 15


def test_where_nothing_can_be_used_no_file_is_made(smoke_run: Path, tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / "p" / "visible").mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / "visible" / f"{number}.png").write_bytes(b"")
    with pytest.raises(
        UserError, match=r"p: none of 2 pictures can be used: visible/0\.png can't be decoded, visible/1"
    ):
        commands.main(
            ["extract", "--run", str(smoke_run), "--images", str(tmp_path / "p"), "--out", str(tmp_path / "d.npz")]
        )
    assert not (tmp_path / "d.npz").exists()


def test_a_search_takes_parquet_in_batches_and_says_what_it_passes_over(
    smoke_run: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, index = str(tmp_path / "d"), str(tmp_path / "gallery")
    with pytest.warns(UserWarning, match="can't be used"):
        commands.main(["extract", "--run", str(smoke_run), "--images", str(pictures), "--out", out, "--part", "5"])
    capsys.readouterr()
    for said in (
        "12 pictures added; the gallery has 12",
        "0 pictures added, 12 were already there; the gallery has 12",
    ):
        commands.main(["search", "index", "--index", index, "--descriptors", out])
        told = capsys.readouterr()
        assert said in told.out
        assert "3 pictures without a descriptor passed over: p0/visible/cam1_cut.png can't be decoded, " in told.err
    found = read_descriptors(Path(out))
    gallery = Gallery.open(index)
    hits = gallery.search(found.descriptors, 1)
    assert [hit[0].entry.path for hit in hits] == found.samples.names
    commands.main(["search", "query", "--index", index, "--descriptors", out, "-k", "1"])
    assert capsys.readouterr().out.count("looked up among") == 12


def test_evaluate_says_the_same_of_parquet_and_of_npz(smoke_run: Path, pictures: Path, tmp_path: Path) -> None:
    tables = []
    for name in ("d.npz", "d.parquet", "parts"):
        out = tmp_path / name.replace(".", "_") / name
        out.parent.mkdir()
        with pytest.warns(UserWarning, match="can't be used"):
            commands.main(["extract", "--run", str(smoke_run), "--images", str(pictures), "--out", str(out)])
        with pytest.warns(UserWarning, match=r"^3 pictures without a descriptor left out: p0/visible/cam1_cut"):
            commands.main(["evaluate", "--descriptors", str(out), "--data", "folder"])
        tables.append((out.parent / "evaluation.json").read_text())
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.parametrize("infrared", [True, False])
@pytest.mark.parametrize("data", ["folder", "regdb", "sysu_mm01", "llcm"])
def test_evaluate_says_that_a_modality_lacks(data: str, infrared: bool, tmp_path: Path) -> None:
    rows, file = 4, tmp_path / "one.npz"
    labels = np.arange(rows) // 2 + 1, np.full(rows, infrared), np.ones(rows, np.int64)
    samples = Samples([b""] * rows, [*"abcd"], *labels)
    write_descriptors(file, np.eye(rows, dtype=np.float32), samples)
    lacking = "visible" if infrared else "infrared"
    with pytest.raises(UserError, match=rf"one\.npz: no {lacking} picture has a descriptor: expected some of both"):
        commands.main(["evaluate", "--descriptors", str(file), "--data", data])
    assert [*tmp_path.iterdir()] == [file]


def test_an_index_that_was_moved_says_where_its_paths_begin(smoke_run: Path, pictures: Path, tmp_path: Path) -> None:
    name, moved = "p1/visible/cam1_04.png", tmp_path / "moved" / "index.csv"
    moved.parent.mkdir()
    moved.write_text(f"path,modality\n{name},visible\n")
    asked = ["extract", "--run", str(smoke_run), "--images", str(moved), "--out", str(tmp_path / "d")]
    begin = "; paths in the index that are not absolute begin in .*/moved$"
    with pytest.raises(UserError, match=rf"none of 1 picture can be used: {name} can't be read .*{begin}"):
        commands.main(asked)
    moved.write_text(f"path,modality\n{name},visible\n{pictures / name},visible\n")
    with pytest.warns(UserWarning, match=rf"^1 of 2 pictures can't be used .*{begin}"):
        commands.main([*asked[:-1], str(tmp_path / "e")])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--images no --out d.npz", "no is no folder: give a folder with pictures, or an index"),
        ("--images no.csv --out d.npz", r"no\.csv can't be read \(No such file"),
        ("--images index.csv --pattern x --out d.npz", "an index says it of each: leave the pattern out"),
        ("--images s3://bucket/photographs --out d.npz", r"is no index: expected the URL of a \.csv or \.parquet"),
        ("--images index.parquet --out index.parquet", r"--out is the index itself, index\.parquet: name another"),
        ("--images index.parquet --out ./index.parquet", r"--out is the index itself, index\.parquet: name another"),
        ("--images index.csv --out s3://bucket/d/", r"--out: 's3://bucket/d/' is a URL, expected a place on this"),
        ("--images . --out d.csv", r"--out: 'd\.csv' ends in \.csv, expected \.npz, \.parquet, or a folder"),
    ],
)
def test_mistakes_come_before_the_model_is_opened(
    words: str, said: str, smoke_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "index.csv").write_text("path,modality\na.png,visible\n")
    pq.write_table(pa.table({"path": ["a.png"], "modality": ["visible"]}), "index.parquet")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    monkeypatch.setattr("hicmd_tf.runs.opened.OpenedRun.model", property(lambda self: pytest.fail("it was opened")))
    with pytest.raises(UserError, match=said):
        commands.main(["extract", "--run", str(smoke_run), *words.split()])
    assert before == {file.name: file.read_bytes() for file in tmp_path.iterdir()}
