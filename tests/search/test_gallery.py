"""A gallery finds what a sorted list of products would, and loses nothing that it has acknowledged."""

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hicmd_tf.data.labels import number
from hicmd_tf.errors import UserError
from hicmd_tf.search import Entry, Gallery, Hit, Selection
from hicmd_tf.search import gallery as module
from hicmd_tf.search.nearest import InvertedFile, nearest

Array = np.ndarray[Any, Any]


def drawn(rows: int, length: int = 8, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal((rows, length)).astype(np.float32)


def entry(number: int, **given_values: Any) -> Entry:
    known = {"identity": number % 7, "camera": number % 3, "modality": ("visible", "infrared")[number % 2]}
    return Entry(**{"path": f"/pictures/{number}.png", "time": float(number), **known, **given_values})


def entries(rows: int, start: int = 0) -> list[Entry]:
    return [entry(number) for number in range(start, start + rows)]


def unit(rows: Array) -> Array:
    return np.asarray(rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True), np.float32)


def oracle(rows: Array, query: Array, k: int) -> list[int]:
    """Products in float64 of rows of length 1, sorted; equal ones in their order."""
    direction = unit(query[None])[0].astype(np.float64)
    products = [float((row.astype(np.float64) * direction).sum()) for row in unit(rows)]
    return sorted(range(len(rows)), key=lambda i: (-products[i], i))[:k]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", 16)


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3).filter(any), min_size=1, max_size=90),
    st.lists(st.integers(-2, 2), min_size=3, max_size=3).filter(any),
    st.integers(1, 100),
)
def test_ranking_is_that_of_a_sorted_list_under_ties_too(rows: list[list[int]], query: list[int], k: int) -> None:
    directions, asked = unit(np.array(rows, np.float64)), unit(np.array([query], np.float64))
    ((values, found),) = nearest(directions, asked, k)
    assert found.tolist() == oracle(directions, asked[0], k)
    assert (np.diff(values) <= 0).all()


def test_a_gallery_opens_by_a_text_too(tmp_path: Path) -> None:
    Gallery.create(str(tmp_path / "g")).add(drawn(3), entries(3), "m")
    assert (
        Gallery.open(str(tmp_path / "g")).info()
        == Gallery.open(tmp_path / "g").info()
        == Gallery(f"{tmp_path}/g").info()
    )


def test_many_equal_pictures_come_in_the_order_they_were_added() -> None:
    rows = np.repeat(np.eye(4, 16, dtype=np.float32), 200, axis=0)
    ((values, found),) = nearest(rows, rows[200:201], 5)
    assert found.tolist() == [200, 201, 202, 203, 204]
    assert values.tolist() == [1.0] * 5


class SameAsMemory(RuleBasedStateMachine):
    """Adding, changing, removing, opening again: always what a list in memory would hold, in few parts."""

    @initialize()
    def make(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "gallery"
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(module, "ROWS", 16)
        self.gallery = Gallery.create(self.path)
        self.held: list[tuple[Entry, Array]] = []
        self.count = 0

    @rule(rows=st.integers(0, 40), again=st.booleans(), changed=st.sets(st.integers(0, 50), max_size=3))
    def add(self, rows: int, again: bool, changed: set[int]) -> None:
        """New pictures, some that are there, and some whose files have changed, which then stand at the end."""
        fresh = list(zip(entries(rows, self.count), drawn(rows, seed=self.count), strict=True))
        known = [(e, -d) for e, d in self.held[:3] if again and e.path not in {e.path for e, _ in fresh}]
        for place in sorted(changed & {*range(3, len(self.held))}):
            former = self.held[place][0]
            fresh.append((former._replace(digest=f"{self.count}", camera=place % 3), drawn(1, seed=place)[0]))
        both = [*fresh, *known]
        rows_of = np.array([d for _, d in both], np.float32).reshape(-1, 8)
        assert self.gallery.add(rows_of, [e for e, _ in both], "m") == len(fresh)
        paths = {e.path for e, _ in fresh}
        self.held = [(e, d) for e, d in self.held if e.path not in paths] + fresh
        self.count += rows

    @rule(identities=st.none() | st.lists(st.integers(0, 6), max_size=2), before=st.none() | st.integers(0, 60))
    def remove(self, identities: list[int] | None, before: int | None) -> None:
        selection = Selection(identities=identities, before=before)
        kept = [
            (e, d)
            for e, d in self.held
            if (identities is not None and e.identity not in identities) or (before is not None and e.time >= before)
        ]
        if not selection:
            return
        assert self.gallery.remove(selection) == len(self.held) - len(kept)
        self.held = kept

    @rule()
    def reopen(self) -> None:
        self.gallery = Gallery.create(self.path)

    @rule(camera=st.none() | st.integers(0, 2), modality=st.sampled_from([None, "visible"]), k=st.integers(1, 20))
    def search(self, camera: int | None, modality: str | None, k: int) -> None:
        chosen = [(e, d) for e, d in self.held if camera in (None, e.camera) and modality in (None, e.modality)]
        query = drawn(1, seed=99)[0]
        selection = Selection(cameras=None if camera is None else [camera], modality=modality)
        (hits,) = self.gallery.search(query[None], k, selection)
        expected = oracle(np.array([d for _, d in chosen]), query, k) if chosen else []
        assert [hit.entry for hit in hits] == [chosen[i][0] for i in expected]

    @invariant()
    def whole_and_tidy(self) -> None:
        if hasattr(self, "gallery"):
            assert self.gallery.info().rows == len(self.held)
            if not (self.path / "gallery.json").exists():  # nothing was added yet
                return
            parts = json.loads((self.path / "gallery.json").read_text())["parts"]
            assert {file.name for file in self.path.iterdir()} == {"gallery.json", "lock", *parts}
            assert all(0 < rows <= 16 for rows in parts.values())

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()
            self.patch.undo()


TestSameAsMemory = SameAsMemory.TestCase
TestSameAsMemory.settings = settings(max_examples=10, stateful_step_count=12, deadline=None)


def test_anyone_reads_what_was_added(tmp_path: Path, small_parts: None) -> None:
    rows, known = (
        drawn(70),
        [entry(n, person=f"p{n}", digest=f"{n:064x}", track=f"t{n}", track_folder="f") for n in range(70)],
    )
    gallery = Gallery.create(tmp_path / "g")
    for start in range(0, 70, 7):  # which are not ten parts
        gallery.add(rows[start : start + 7], known[start : start + 7], "m")
    manifest = json.loads((tmp_path / "g" / "gallery.json").read_text())
    assert (manifest["model"], manifest["length"], sum(manifest["parts"].values())) == ("m", 8, 70)
    assert len(manifest["parts"]) == 5
    table = pa.concat_tables([pq.read_table(tmp_path / "g" / part) for part in manifest["parts"]])
    assert np.array_equal(np.array(table["descriptor"].to_pylist(), np.float32), unit(rows))
    columns = ("name", "identity", "camera", "modality", "time", "digest", "identity_text", "camera_text")
    columns += ("track", "track_folder")
    assert [Entry(*values) for values in zip(*(table[name].to_pylist() for name in columns), strict=True)] == known
    assert table.schema.names == ["descriptor", *columns]


@pytest.mark.parametrize("field", ["paths", "identities", "cameras"])
def test_an_empty_selection_means_nothing(store: Any, field: str) -> None:
    assert store.info() == ("", 0, 0)
    store.add(drawn(5), entries(5), "m")
    for empty in ([], np.array([], np.int64)):
        selection = Selection(**{field: empty})
        assert store.remove(selection) == 0
        assert store.search(drawn(2), 3, selection) == [[], []]
    assert store.remove(Selection(**{field: []}, modality="visible")) == 0
    with pytest.raises(UserError, match="leaves every field open"):
        store.remove(Selection())
    assert store.info() == ("m", 8, 5)
    assert store.remove(Selection(identities=np.array([0, 0, 1]))) == 2
    assert store.remove(Selection(after=0.0)) == 3 and store.info().rows == 0


def test_changed_pictures_replace_the_former_ones(store: Any) -> None:
    store.add(np.eye(3, 8, dtype=np.float32), entries(3), "m")
    query = np.eye(1, 8, 5, dtype=np.float32)
    for changed in ({"digest": "new"}, {"identity": 99}, {"camera": 9}, {"modality": "visible"}, {"person": "anna"}):
        new = entry(1, **changed)
        assert [store.add(query, [new], "m") for _ in range(2)] == [1, 0]
        (hits,) = store.search(query, 1, Selection())
        assert hits == [Hit(1.0, new)] and store.info().rows == 3
    assert store.add(drawn(2), [entry(7), entry(7, camera=8)], "m") == 1  # of one path the first


def test_odd_paths_are_text_and_lead_nowhere(store: Any, tmp_path: Path) -> None:
    odd = [
        '/a "quoted" \\ path',
        "/ü/日本.png",
        "/<b>\x1b[31m\n.png",
        "../../it's",
        "'; DROP TABLE picture; --",
        "C:\\x",
    ]
    rows, known = np.eye(6, 8, dtype=np.float32), [entry(i, path=path) for i, path in enumerate(odd)]
    before = {*tmp_path.parent.iterdir()}
    assert store.add(rows, known, "m") == 6
    assert {*store.held([*odd, "/other"])} == {*odd}
    assert [hits[0] for hits in store.search(rows, 1, Selection())] == [Hit(1.0, one) for one in known]
    assert store.remove(Selection(paths=[odd[0], odd[2]])) == 2
    assert {*store.held(odd)} == {odd[1], *odd[3:]}
    assert {*tmp_path.parent.iterdir()} == before


def test_a_gallery_is_there_when_something_was_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        shutil.copytree(tmp_path / "g", tmp_path / "left")  # as a kill leaves it
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, "replace", killed)
        Gallery.create(tmp_path / "g").add(drawn(1), entries(1), "m")
    with pytest.raises(UserError, match="is no gallery: make one with"):
        Gallery.open(tmp_path / "left")
    gallery = Gallery.create(tmp_path / "left")
    assert gallery.search(drawn(2), 5) == [[], []]
    gallery.add(drawn(3), entries(3), "m")
    assert gallery.remove(Selection(identities=range(9))) == 3
    assert gallery.add(drawn(3, 9), entries(3), "other") == 3  # an empty one takes any model
    assert Gallery.create(tmp_path / "left").info() == ("other", 9, 3)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="exists already and is no gallery"):
        Gallery.create(tmp_path / "other")


def state(folder: Path) -> Any:
    return [(hit.entry, hit.similarity) for hit in Gallery.open(folder).search(drawn(1, seed=5), 1000)[0]]


@pytest.mark.parametrize("change", ["add", "replace", "remove"])
def test_whatever_a_kill_leaves_is_the_gallery_before_or_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_parts: None, change: str
) -> None:
    place, numbers = tmp_path / "g", itertools.count()
    gallery = Gallery.create(place)
    gallery.add(drawn(40), entries(40), "m")
    before = state(place)

    def first_copied(call: Callable[..., Any]) -> Callable[..., Any]:
        def copied(*arguments: Any, **options: Any) -> Any:
            shutil.copytree(place, tmp_path / f"killed{next(numbers)}")
            return call(*arguments, **options)

        return copied

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", first_copied(os.replace))
        patched.setattr(Path, "unlink", first_copied(Path.unlink))
        if change == "remove":
            gallery.remove(Selection(identities=[0, 3]))
        else:
            gallery.add(
                drawn(40, seed=9),
                entries(40, 40) if change == "add" else [e._replace(digest="x") for e in entries(40)],
                "m",
            )
    after = state(place)
    copies = [*tmp_path.glob("killed*")]
    assert len(copies) > 3 and before != after
    found = [state(copy) for copy in copies]
    assert before in found and all(one in (before, after) for one in found)
    for copy in copies:  # the next change deletes what is no part of it
        Gallery.open(copy).add(drawn(1, seed=7), entries(1, 99), "m")
        parts = json.loads((copy / "gallery.json").read_text())["parts"]
        assert {file.name for file in copy.iterdir()} == {"gallery.json", "lock", *parts}


def test_a_change_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_parts: None) -> None:
    gallery = Gallery.create(tmp_path / "g")
    gallery.add(drawn(10), entries(10), "m")
    files = {*(tmp_path / "g").iterdir()}
    calls = iter([None, None, OSError(28, "No space left on device")])
    whole = pq.write_table

    def full(*arguments: Any, **options: Any) -> None:
        error = next(calls)
        if error:
            raise error
        whole(*arguments, **options)

    monkeypatch.setattr(module.pq, "write_table", full)
    with pytest.raises(UserError, match=r"can't be written \(No space left on device\)"):
        gallery.add(drawn(60), entries(60, 10), "m")
    assert {*(tmp_path / "g").iterdir()} == files and gallery.info().rows == 10


WRITER = """
import sys, numpy as np
from pathlib import Path
from hicmd_tf.search import Entry, Gallery
gallery = Gallery.create(Path(sys.argv[1]))
for part in range(int(sys.argv[2]), 10**6):
    paths = [f"/{part}/{i}" for i in range(50)]
    rows = np.random.default_rng(part).standard_normal((50, 64)).astype(np.float32)
    gallery.add(rows, [Entry(path, part, 0, "visible", 0.0) for path in paths], "m")
    print(part, flush=True)
"""


def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    known = -1
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "g"), str(known + 1)]
        environment = {**os.environ, "PYTHONPATH": os.getcwd()}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(random.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        said = [int(line) for line in [first, *process.stdout.read().splitlines()]]
        process.wait()
        rows = Gallery.open(tmp_path / "g").info().rows
        assert rows in (50 * (said[-1] + 1), 50 * (said[-1] + 2))  # whole parts; one more than was said may be there
        known = rows // 50 - 1
    gallery = Gallery.open(tmp_path / "g")
    for part in range(known + 1):
        rows_of = np.random.default_rng(part).standard_normal((50, 64)).astype(np.float32)
        (hits,) = gallery.search(rows_of[-1:], 1, Selection(identities=[part]))
        assert hits[0].entry.path == f"/{part}/49" and hits[0].similarity == pytest.approx(1, abs=1e-6)


def test_a_second_writer_is_refused_and_readers_are_not(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "g")
    gallery.add(drawn(3), entries(3), "m")
    with gallery._alone():
        with pytest.raises(UserError, match="another process"):
            Gallery.open(tmp_path / "g").add(drawn(1), entries(1, 3), "m")
        assert len(Gallery.open(tmp_path / "g").search(drawn(1), 5)[0]) == 3
    assert gallery.add(drawn(1), entries(1, 3), "m") == 1


def test_a_reader_follows_what_others_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Gallery.create(tmp_path / "g")
    writer.add(drawn(3), entries(3), "m")
    reader = Gallery.open(tmp_path / "g")
    assert len(reader.search(drawn(1), 9)[0]) == 3
    writer.add(drawn(3), entries(3, 3), "m")  # deletes the part that the reader has open
    assert len(reader.search(drawn(1), 9)[0]) == 6
    manifests = iter([Gallery.open(tmp_path / "g")._manifest()])
    assert Selection(cameras=["0", "north"], identities=["0012"]) == Selection(
        cameras=[0, number("north")], identities=[12]
    )
    writer.remove(Selection(cameras=[0]))
    read = reader._manifest
    monkeypatch.setattr(reader, "_manifest", lambda: next(manifests, None) or read())  # changed before parts are read
    assert len(reader.search(drawn(1), 9, Selection(before=99.0))[0]) == 4


def test_other_models_lengths_and_numbers_are_refused(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "g")
    gallery.add(drawn(3), entries(3), "m" * 64)
    broken = drawn(1)
    broken[0, 3] = np.nan
    for bad, said in (
        (lambda: gallery.add(drawn(1), entries(1, 3), "other"), "can't be compared"),
        (lambda: gallery.add(drawn(1), entries(1, 3), ""), "not named"),
        (lambda: gallery.add(drawn(1, 9), entries(1, 3), "m" * 64), "length 9"),
        (lambda: gallery.add(drawn(2), entries(1, 3), "m" * 64), "2 descriptors for 1"),
        (lambda: gallery.add(broken, entries(1, 3), "m" * 64), "not finite"),
        (lambda: gallery.add(np.zeros((1, 8)), entries(1, 3), "m" * 64), "is zero"),
        (lambda: gallery.add(np.ones((1, 8), int), entries(1, 3), "m" * 64), "expected floats"),
        (lambda: gallery.add(drawn(1), [entry(3, modality="thermal")], "m" * 64), "is 'thermal': expected visible or"),
        (lambda: Selection(modality="thermal"), "expected 'visible' or 'infrared', or None"),
        (lambda: gallery.search(drawn(1, 7), 3), "length 7"),
        (lambda: gallery.search(broken, 3), "not finite"),
        (lambda: Gallery.open(tmp_path / "none"), "no gallery"),
    ):
        with pytest.raises(UserError, match=said):
            bad()
    assert gallery.info() == ("m" * 64, 8, 3)


@pytest.mark.parametrize("how", ["page", "footer", "half", "nothing", "fewer rows", "other columns"])
def test_damage_is_named(tmp_path: Path, how: str) -> None:
    Gallery.create(tmp_path / "g").add(drawn(50), entries(50), "m")
    (part,) = (tmp_path / "g").glob("part*")
    content, table = part.read_bytes(), pq.read_table(part)
    at = content.index(unit(drawn(50))[20].tobytes())
    changed = {
        "page": content[:at] + b"\0\0\0\0" + content[at + 4 :],
        "footer": content[:-200] + b"\xff" * 100 + content[-100:],
        "half": content[: len(content) // 2],
    }
    if how in changed:
        part.write_bytes(changed[how])
    elif how == "nothing":
        part.unlink()
    else:
        pq.write_table(table[:2] if how == "fewer rows" else table.drop_columns(["name"]), part)
    with pytest.raises(UserError, match=r"is damaged \(.*\): copy it from where it is whole$") as refusal:
        Gallery.open(tmp_path / "g").search(drawn(1), 5)
    assert part.name in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"length": "x"}, {"parts": {"../part-000001-00000000.parquet": 1}}, None], ids=str
)
def test_a_manifest_of_untrusted_hands_is_not_believed(tmp_path: Path, change: dict[str, Any] | None) -> None:
    Gallery.create(tmp_path / "g").add(drawn(3), entries(3), "m")
    file = tmp_path / "g" / "gallery.json"
    file.write_text("[" if change is None else json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(UserError, match=r"gallery\.json is damaged \(") as refusal:
        Gallery.create(tmp_path / "g")
    assert "\n" not in str(refusal.value)


def test_a_gallery_that_can_only_be_read_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Gallery.create(tmp_path / "g").add(clustered(2000), entries(2000), "m")

    @contextlib.contextmanager
    def refuse(*_: Any) -> Any:
        raise UserError("can't be written")
        yield

    monkeypatch.setattr(module, "replacing", refuse)
    monkeypatch.setattr(module, "alone", refuse)
    for inverted in (None, InvertedFile(lists=40, probes=20)):
        (hits,) = Gallery.open(tmp_path / "g", inverted).search(clustered(2000)[:1], 1)
        assert hits[0].entry == entry(0)


def clustered(rows: int, seed: int = 0) -> Array:
    random = np.random.default_rng(seed)
    centres = random.standard_normal((rows // 10, 16))
    return unit(centres[np.arange(rows) % len(centres)] + 0.3 * random.standard_normal((rows, 16)))


@pytest.mark.parametrize("modality", [None, "visible", "infrared"])
def test_an_inverted_file_finds_nearly_what_exact_search_finds(tmp_path: Path, modality: str | None) -> None:
    rows = clustered(3000)
    Gallery.create(tmp_path / "g").add(rows, entries(3000), "m")
    inverted = InvertedFile(lists=40, probes=20)
    gallery, selection = Gallery.open(tmp_path / "g", inverted), Selection(modality=modality)
    found, exact = (one.search(rows[:40], 5, selection) for one in (gallery, Gallery.open(tmp_path / "g")))
    assert sum(len({*a} & {*b}) for a, b in zip(found, exact, strict=True)) > 0.95 * 200
    assert inverted.recall is not None and 0.95 < inverted.recall.ten <= 1
    index = inverted._built
    gallery.search(rows[:1], 5, selection)
    assert inverted._built is index
    query = np.full((1, 16), 0.25, np.float32)
    new = entry(3000, modality=modality or "visible")
    gallery.add(query, [new], "m")  # after which it is made anew
    assert gallery.search(query, 1, selection)[0][0] == Hit(pytest.approx(1), new)


def test_recall_is_measured_with_the_other_modality(tmp_path: Path) -> None:
    """Visible pictures lie in clusters, infrared ones anywhere: which are asked for shows in the recall."""
    rows = clustered(6000)
    rows[1::2] = unit(drawn(3000, 16))
    Gallery.create(tmp_path / "g").add(rows, entries(6000), "m")
    inverted = InvertedFile(lists=40, probes=4, least_recall=0)
    Gallery.open(tmp_path / "g", inverted).search(rows[:1], 5, Selection(modality="visible"))
    of_infrared = inverted.recall
    Gallery.open(tmp_path / "g", inverted).remove(Selection(modality="infrared"))
    Gallery.open(tmp_path / "g", inverted).search(rows[:1], 5, Selection(modality="visible"))  # none is left to ask
    assert of_infrared is not None and inverted.recall is not None and of_infrared.ten < inverted.recall.ten - 0.1


def test_an_inverted_file_says_what_it_can_not_do(tmp_path: Path) -> None:
    rows = drawn(3000, 16)  # without clusters
    Gallery.create(tmp_path / "g").add(rows, entries(3000), "m")
    gallery = Gallery.open(tmp_path / "g", InvertedFile(lists=60, probes=1))
    with pytest.raises(UserError, match="of the ten nearest with 1 probes"):
        gallery.search(rows[:1], 5)
    for selection in (Selection(cameras=[1]), Selection(modality="visible", before=5.0), Selection(paths=["/x"])):
        with pytest.raises(UserError, match="of a whole gallery or of one modality: search exactly"):
            gallery.search(rows[:1], 5, selection)
