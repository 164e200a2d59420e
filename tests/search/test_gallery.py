"""A gallery finds what a sorted list of products would, and loses nothing that it has acknowledged."""

import contextlib
import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hicmd_tf.errors import UserError
from hicmd_tf.search import Entry, Gallery, Hit, Selection
from hicmd_tf.search.entries import refuse_unfinished
from hicmd_tf.search.exact import nearest
from hicmd_tf.search.gallery import CHUNK
from hicmd_tf.search.inverted import InvertedFile, filled, recall
from hicmd_tf.search.milvus import MilvusGallery

Array = np.ndarray[Any, Any]


def drawn(rows: int, length: int = 8, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal((rows, length)).astype(np.float32)


def entry(number: int, **given_values: Any) -> Entry:
    known = {"identity": number % 7, "camera": number % 3, "modality": ("visible", "infrared")[number % 2]}
    return Entry(**{"path": f"/pictures/{number}.png", "time": float(number), **known, **given_values})


def entries(rows: int, start: int = 0) -> list[Entry]:
    return [entry(number) for number in range(start, start + rows)]


def oracle(rows: Array, query: Array, k: int) -> list[int]:
    """Products in float64 of rows of length 1, sorted; equal ones in their order."""
    unit = (rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)).astype(np.float32)
    direction = (query / np.linalg.norm(query.astype(np.float64))).astype(np.float32)
    products = [float((row.astype(np.float64) * direction).sum()) for row in unit]
    return sorted(range(len(rows)), key=lambda i: (-products[i], i))[:k]


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3).filter(any), min_size=1, max_size=90),
    st.lists(st.integers(-2, 2), min_size=3, max_size=3).filter(any),
    st.integers(1, 100),
)
def test_ranking_is_that_of_a_sorted_list_under_ties_too(rows: list[list[int]], query: list[int], k: int) -> None:
    unit = np.array(rows, np.float64)
    unit = (unit / np.linalg.norm(unit, axis=1, keepdims=True)).astype(np.float32)
    asked = (np.array(query) / np.linalg.norm(query)).astype(np.float32)
    ((values, found),) = nearest(unit, asked[None], k)
    assert found.tolist() == oracle(unit, asked, k)
    assert (np.diff(values) <= 0).all()


def test_many_equal_pictures_come_in_the_order_they_were_added() -> None:
    rows = np.repeat(np.eye(4, 16, dtype=np.float32), 200, axis=0)
    ((values, found),) = nearest(rows, rows[200:201], 5)
    assert found.tolist() == [200, 201, 202, 203, 204]
    assert values.tolist() == [1.0] * 5


class SameAsMemory(RuleBasedStateMachine):
    """Adding, removing, opening again: always what a list in memory would hold."""

    @initialize()
    def make(self) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "gallery"
        self.gallery = Gallery.create(self.path, "m", 8)
        self.held: list[tuple[Entry, Array]] = []
        self.count = 0

    @rule(rows=st.integers(0, 12), again=st.booleans())
    def add(self, rows: int, again: bool) -> None:
        fresh = entries(rows, self.count)
        described = drawn(rows, seed=self.count)
        known = [e for e, _ in self.held[:3]] if again else []
        added = self.gallery.add(np.concatenate([described, drawn(len(known))]), [*fresh, *known], "m")
        assert added == rows
        self.held += list(zip(fresh, described, strict=True))
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

    @rule(place=st.integers(0, 200))
    def change(self, place: int) -> None:
        """A picture whose file has changed takes its own place."""
        if not self.held:
            return
        row = place % len(self.held)
        changed = self.held[row][0]._replace(digest=f"{self.count}", camera=place % 3)
        described = drawn(1, seed=1000 + self.count)
        assert self.gallery.add(described, [changed], "m") == 1
        self.held[row] = (changed, described[0])
        self.count += 1

    @rule()
    def reopen(self) -> None:
        self.gallery = Gallery.open(self.path)

    @rule(camera=st.none() | st.integers(0, 2), modality=st.sampled_from([None, "visible"]), k=st.integers(1, 20))
    def search(self, camera: int | None, modality: str | None, k: int) -> None:
        cameras = None if camera is None else [camera]
        chosen = [
            (e, d)
            for e, d in self.held
            if (camera is None or e.camera == camera) and (modality is None or e.modality == modality)
        ]
        query = drawn(1, seed=99)[0]
        (hits,) = self.gallery.search(query[None], k, Selection(cameras=cameras, modality=modality))
        expected = oracle(np.array([d for _, d in chosen]), query, k) if chosen else []
        assert [hit.entry for hit in hits] == [chosen[i][0] for i in expected]

    @invariant()
    def as_many(self) -> None:
        if hasattr(self, "gallery"):
            assert self.gallery.info().rows == len(self.held)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestSameAsMemory = SameAsMemory.TestCase
TestSameAsMemory.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)


def test_more_rows_than_a_chunk_come_back_as_they_were(tmp_path: Path) -> None:
    rows = drawn(CHUNK + 500)
    gallery = Gallery.create(tmp_path / "g", "m", 8)
    assert gallery.add(rows, entries(len(rows)), "m") == len(rows)
    unit = rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    assert np.array_equal(Gallery.open(tmp_path / "g").descriptors(), unit.astype(np.float32))
    paths = [f"/pictures/{number}.png" for number in range(0, len(rows), 2)]
    assert gallery.remove(Selection(paths=paths)) == len(paths)  # more than one statement takes
    assert np.array_equal(gallery.descriptors(), unit[1::2].astype(np.float32))


@pytest.mark.parametrize("field", ["paths", "identities", "cameras"])
def test_an_empty_selection_means_nothing(tmp_path: Path, field: str) -> None:
    pytest.importorskip("milvus_lite", reason="pip install 'hicmd-tf[milvus]'")
    galleries: list[Any] = [
        Gallery.create(tmp_path / "g", "m", 8),
        MilvusGallery.create(str(tmp_path / "m.db"), "g", 8),
    ]
    for gallery in galleries:
        gallery.add(drawn(5), entries(5), "m")
        for empty in ([], (), np.array([], np.int64), range(0)):
            selection = Selection(**{field: empty})
            assert gallery.remove(selection) == 0
            assert gallery.search(drawn(2), 3, selection) == [[], []]
        assert gallery.remove(Selection(**{field: []}, modality="visible")) == 0
        assert gallery.remove(Selection(after=math.inf)) == gallery.remove(Selection(before=-math.inf)) == 0
        with pytest.raises(UserError, match="leaves every field open"):
            gallery.remove(Selection())
        assert gallery.info().rows == 5
        assert gallery.remove(Selection(identities=np.array([0, 0, 1]))) == 2
        assert gallery.remove(Selection(after=-math.inf)) == 3


def test_selections_that_make_no_sense_are_refused() -> None:
    for given_values, text in (
        ({"before": math.nan}, "NaN"),
        ({"after": math.nan}, "NaN"),
        ({"modality": "thermal"}, "expected 'visible' or 'infrared', or None"),
        ({"paths": "/a.png"}, "expected a sequence"),
    ):
        with pytest.raises(UserError, match=text):
            Selection(**given_values)  # type: ignore[arg-type]


def test_one_picture_is_one_entry_in_both_unicode_forms(tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite", reason="pip install 'hicmd-tf[milvus]'")
    composed, decomposed = "/p/\u00e9/1.png", "/p/e\u0301/1.png"
    galleries: list[Any] = [
        Gallery.create(tmp_path / "g", "m", 8),
        MilvusGallery.create(str(tmp_path / "m.db"), "g", 8),
    ]
    for gallery in galleries:
        assert gallery.add(drawn(2), [entry(1, path=composed), entry(1, path=decomposed)], "m") == 1
        assert gallery.add(drawn(1), [entry(1, path=decomposed)], "m") == 0
        assert gallery.held([decomposed]) == {decomposed: entry(1, path=composed)}
        assert gallery.remove(Selection(paths=[decomposed])) == 1 and gallery.info().rows == 0


def test_changed_pictures_take_the_place_of_the_former_ones(tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite", reason="pip install 'hicmd-tf[milvus]'")
    galleries: list[Any] = [
        Gallery.create(tmp_path / "g", "m", 8),
        MilvusGallery.create(str(tmp_path / "m.db"), "g", 8),
    ]
    for gallery in galleries:
        gallery.add(np.eye(3, 8, dtype=np.float32), entries(3), "m")
        for changed in (
            {"digest": "new"},
            {"identity": 99},
            {"camera": 9},
            {"modality": "visible"},
            {"person": "anna"},
        ):
            new = entry(1, **changed)
            assert gallery.add(np.eye(1, 8, 5, dtype=np.float32), [new], "m") == 1
            assert gallery.add(np.eye(1, 8, 5, dtype=np.float32), [new], "m") == 0
            (hits,) = gallery.search(np.eye(1, 8, 5, dtype=np.float32), 1, Selection())
            assert hits == [Hit(1.0, new)] and gallery.info().rows == 3
        (hits,) = gallery.search(np.ones((1, 8), np.float32), 9, Selection())  # all are equally similar
        assert [hit.entry.path for hit in hits] == [one.path for one in entries(3)]
        with pytest.raises(UserError, match=r"3\.png is 'thermal' at 3: expected visible or infrared, and seconds"):
            gallery.add(drawn(1), [entry(3, modality="thermal")], "m")
        with pytest.raises(UserError, match=r"3\.png is 'infrared' at nan"):
            gallery.add(drawn(1), [entry(3, time=math.nan)], "m")


STOPPED = """
import os, sys
from pathlib import Path
from hicmd_tf.search import Gallery
os.replace = lambda *_: os.kill(os.getpid(), 9)
Gallery.begin(Path(sys.argv[1]), "m", 8)
"""


def test_an_index_that_was_stopped_goes_on_or_begins_again(tmp_path: Path) -> None:
    place = tmp_path / "g"
    command = [sys.executable, "-c", STOPPED, str(place)]
    for _ in range(2):  # killed before there is anything
        assert subprocess.run(command, env={**os.environ, "PYTHONPATH": os.getcwd()}, check=False).returncode == -9
        with pytest.raises(UserError, match="is no gallery: make one with"):
            Gallery.open(place)
    assert not Gallery.begin(place, "of a wrong run", 9).complete()
    gallery = Gallery.begin(place, "m" * 64, 8)  # nothing is lost by another model yet
    gallery.add(drawn(3), entries(3), "m" * 64)
    with pytest.raises(UserError, match="stopped, or goes on, at 3 pictures: give the same index command again"):
        refuse_unfinished(gallery, "g")
    with pytest.raises(UserError, match="holds 3 pictures of an index that was stopped, described by the model mmmm"):
        Gallery.begin(place, "other", 8)
    with pytest.raises(UserError, match="holds 3 pictures"):
        Gallery.begin(place, "m" * 64, 9)
    gallery = Gallery.begin(place, "m" * 64, 8)
    assert gallery.info().rows == 3
    gallery.finish()
    assert Gallery.open(place).complete()
    with pytest.raises(UserError, match="exists already: add to it"):
        Gallery.begin(place, "m" * 64, 8)
    refuse_unfinished(gallery, "g")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        Gallery.begin(tmp_path / "other", "m", 8)


def test_an_index_on_milvus_that_was_stopped_goes_on_or_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("milvus_lite", reason="pip install 'hicmd-tf[milvus]'")
    uri = str(tmp_path / "m.db")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(MilvusGallery, "_make", killed)
        MilvusGallery.begin(uri, "g", "m", 8)
    assert not MilvusGallery.begin(uri, "g", "of a wrong run", 9).complete()
    gallery = MilvusGallery.begin(uri, "g", "m", 8)
    gallery.add(drawn(3), entries(3), "m")
    with pytest.raises(UserError, match="with 3 pictures of an index that was stopped, described by the model m, not"):
        MilvusGallery.begin(uri, "g", "other", 8)
    assert MilvusGallery.begin(uri, "g", "m", 8).info().rows == 3
    gallery.finish()
    assert gallery.complete()
    with pytest.raises(UserError, match="has a collection g already"):
        MilvusGallery.begin(uri, "g", "m", 8)


WRITER = """
import sys, numpy as np
from pathlib import Path
from hicmd_tf.search import Entry, Gallery
gallery = Gallery.open(Path(sys.argv[1]))
for part in range(int(sys.argv[2]), 10**6):
    paths = [f"/{part}/{i}" for i in range(50)]
    rows = np.random.default_rng(part).standard_normal((50, 64)).astype(np.float32)
    gallery.add(rows, [Entry(path, part, 0, "visible", 0.0) for path in paths], "m")
    print(part, flush=True)
"""


def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    Gallery.create(tmp_path / "g", "m", 64)
    random = np.random.default_rng(1)
    acknowledged = -1
    for _ in range(8):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "g"), str(acknowledged + 1)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()}
        )
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(random.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        said = [int(line) for line in [first, *process.stdout.read().splitlines()]]
        process.wait()
        assert said[0] == acknowledged + 1 or said[0] == acknowledged + 2  # one more may be on disk than was said
        acknowledged = said[-1]
        gallery = Gallery.open(tmp_path / "g")
        rows = gallery.info().rows
        assert rows in (50 * (acknowledged + 1), 50 * (acknowledged + 2))  # whole parts only
        acknowledged = rows // 50 - 1
    found = gallery.descriptors()
    for part in range(acknowledged + 1):
        expected = np.random.default_rng(part).standard_normal((50, 64)).astype(np.float32)
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        assert np.allclose(found[50 * part : 50 * (part + 1)], expected, atol=1e-6)
    assert sqlite3.connect(tmp_path / "g" / "gallery.sqlite").execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_second_writer_is_refused_and_readers_are_not(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "g", "m", 8)
    gallery.add(drawn(3), entries(3), "m")
    with gallery._writing():
        with pytest.raises(UserError, match="another process"):
            Gallery.open(tmp_path / "g").add(drawn(1), entries(1, 3), "m")
        assert len(Gallery.open(tmp_path / "g").search(drawn(1), 5)[0]) == 3
    assert gallery.add(drawn(1), entries(1, 3), "m") == 1


def test_other_models_lengths_and_numbers_are_refused(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "g", "m" * 64, 8)
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
        (lambda: gallery.search(drawn(1, 7), 3), "length 7"),
        (lambda: gallery.search(broken, 3), "not finite"),
        (lambda: Gallery.create(tmp_path / "g", "m", 8), "exists already"),
        (lambda: Gallery.open(tmp_path / "none"), "no gallery"),
    ):
        with pytest.raises(UserError, match=said):
            bad()
    assert gallery.info() == ("m" * 64, 8, 3)


def test_empty_galleries_and_large_k_find_what_there_is(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "g", "m", 8)
    assert gallery.search(drawn(2), 5) == [[], []]
    gallery.add(drawn(3), entries(3), "m")
    assert [len(hits) for hits in gallery.search(drawn(2), 50)] == [3, 3]
    assert gallery.search(drawn(1), 5, Selection(cameras=[9])) == [[]]


def test_damage_is_named(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "g", "m", 8)
    rows = drawn(50)
    gallery.add(rows, entries(50), "m")
    file = tmp_path / "g" / "gallery.sqlite"
    content = file.read_bytes()
    unit = gallery.descriptors()[20].tobytes()
    place = content.index(unit)
    file.write_bytes(content[:place] + b"\0\0\0\0" + content[place + 4 :])
    with pytest.raises(UserError, match="is damaged"):
        Gallery.open(tmp_path / "g").search(drawn(1), 5)
    file.write_bytes(content[:100] + b"\xff" * 4000)
    with pytest.raises(UserError, match=r"gallery\.sqlite"):
        Gallery.open(tmp_path / "g")
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"gallery\.sqlite"):
        Gallery.open(tmp_path / "g").search(drawn(1), 5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE gallery SET length = 1000000000", "said to have the length 1000000000"),
        ("UPDATE gallery SET length = 'x'", "said to have the length x"),
        ("UPDATE picture SET row = 9 WHERE row = 1", "descriptors 1 are fewer than pictures say"),
        ("UPDATE picture SET row = 'x' WHERE row = 1", "a picture's place is no number"),
        ("UPDATE chunk SET descriptors = 'text'", "descriptors 1 are not what was written"),
        ("UPDATE picture SET path = x'00' WHERE row = 1", "says of picture . can't be"),
        ("UPDATE picture SET time = 1e300", "says of picture . can't be"),
        ("CREATE VIEW fine AS SELECT 1", "holds fine, a view or trigger"),
        ("CREATE TRIGGER t AFTER DELETE ON picture BEGIN DELETE FROM chunk; END", "holds t, a view or trigger"),
    ],
)
def test_a_gallery_of_untrusted_hands_is_not_believed(tmp_path: Path, change: str, said: str) -> None:
    Gallery.create(tmp_path / "g", "m", 8).add(drawn(3), entries(3), "m")
    with contextlib.closing(sqlite3.connect(tmp_path / "g" / "gallery.sqlite")) as connection:
        connection.execute(change)
        connection.commit()
    with pytest.raises(UserError, match=rf"gallery\.sqlite is damaged \(.*{said}") as refusal:
        Gallery.open(tmp_path / "g").search(drawn(1), 5)
    assert "\n" not in str(refusal.value)


def test_a_gallery_of_another_version_is_named_by_every_command(tmp_path: Path) -> None:
    place = tmp_path / "g"
    Gallery.create(place, "m", 8)
    with contextlib.closing(sqlite3.connect(place / "gallery.sqlite")) as connection:
        connection.execute("UPDATE gallery SET format = 1")
        connection.commit()
    for asked in (lambda: Gallery.open(place), lambda: Gallery.begin(place, "m", 8)):
        with pytest.raises(UserError, match=r"is not of format 2, .*: delete its folder, then make it again"):
            asked()


def test_a_path_is_text_and_leads_nowhere(tmp_path: Path) -> None:
    paths = ["../../out", "/etc/passwd", "'; DROP TABLE picture; --", "a\nb", "\0", "<script>", "x" * 5000, "C:\\x"]
    gallery = Gallery.create(tmp_path / "g", "m", 8)
    gallery.add(drawn(8), [entry(i, path=path) for i, path in enumerate(paths)], "m")
    assert {hit.entry.path for hit in gallery.search(drawn(1), 9)[0]} == set(paths) == gallery.known(paths)
    assert gallery.remove(Selection(paths=paths[:4])) == 4 and gallery.info().rows == 4
    assert {file.name for file in tmp_path.rglob("*")} == {"g", "gallery.sqlite", "lock"}


def clustered(rows: int, seed: int = 0) -> Array:
    random = np.random.default_rng(seed)
    centres = random.standard_normal((rows // 10, 16))
    found = centres[np.arange(rows) % len(centres)] + 0.3 * random.standard_normal((rows, 16))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def test_an_inverted_file_is_checked_kept_and_made_anew_when_the_gallery_changes(tmp_path: Path) -> None:
    rows = clustered(4000)
    Gallery.create(tmp_path / "g", "m", 16).add(rows, entries(4000), "m")
    exact = Gallery.open(tmp_path / "g").search(rows[:40], 5)
    inverted = InvertedFile(lists=40, probes=20)
    gallery = Gallery.open(tmp_path / "g", inverted)
    found = gallery.search(rows[:40], 5)
    assert inverted.recall is not None and inverted.recall.ten > 0.95
    same = [len({h.entry for h in a} & {h.entry for h in b}) for a, b in zip(exact, found, strict=True)]
    assert sum(same) > 0.95 * 200
    made = (tmp_path / "g" / "ivf.npz").stat().st_mtime_ns
    Gallery.open(tmp_path / "g", InvertedFile(lists=40, probes=20)).search(rows[:1], 5)
    assert (tmp_path / "g" / "ivf.npz").stat().st_mtime_ns == made
    query = np.full((1, 16), 0.25, np.float32)
    gallery.add(query, entries(1, 4000), "m")
    assert gallery.search(query, 1)[0][0].entry == entry(4000)


def test_each_modality_has_an_inverted_file_whose_recall_is_that_of_the_other(tmp_path: Path) -> None:
    rows = clustered(6000)
    Gallery.create(tmp_path / "g", "m", 16).add(rows, entries(6000), "m")
    inverted = InvertedFile(lists=40, probes=20)
    gallery = Gallery.open(tmp_path / "g", inverted)
    for modality, other in (("visible", "infrared"), ("infrared", "visible")):
        found = gallery.search(rows[:40], 5, Selection(modality=modality))
        exact = Gallery.open(tmp_path / "g").search(rows[:40], 5, Selection(modality=modality))
        same = [len({h.entry for h in a} & {h.entry for h in b}) for a, b in zip(exact, found, strict=True)]
        assert sum(same) > 0.95 * 200
        shares = [np.asarray(gallery.descriptors(Selection(modality=one))) for one in (modality, other)]
        index = filled(InvertedFile(lists=40).partition(shares[0]), shares[0])
        assert inverted.recall == recall(index, shares[0], 20, shares[1])
    assert {file.name for file in (tmp_path / "g").glob("ivf*")} == {"ivf-visible.npz", "ivf-infrared.npz"}
    for selection in (Selection(cameras=[1]), Selection(modality="visible", before=5.0), Selection(paths=["/x"])):
        with pytest.raises(UserError, match="of a whole gallery or of one modality: search exactly"):
            Gallery.open(tmp_path / "g", inverted).search(rows[:1], 5, selection)


def test_a_gallery_that_can_only_be_read_is_searched_by_an_inverted_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = clustered(3000)
    Gallery.create(tmp_path / "g", "m", 16).add(rows, entries(3000), "m")

    @contextlib.contextmanager
    def refuse(path: Path) -> Any:
        raise UserError(f"{path}: can't be written")
        yield

    monkeypatch.setattr("hicmd_tf.search.inverted.replacing", refuse)
    with pytest.warns(UserWarning, match=r"^the inverted file is made again for the next search: .*can't be written"):
        (hits,) = Gallery.open(tmp_path / "g", InvertedFile(lists=40, probes=20)).search(rows[:1], 1)
    assert hits[0].entry == entry(0)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"members": np.full(3000, 40)}, "is damaged: delete it"),
        ({"members": np.full(3000, -1)}, "is damaged: delete it"),
        ({"members": np.zeros(2999, np.int64)}, "is damaged: delete it"),
        ({"centres": np.zeros((40, 15), np.float32)}, "is damaged: delete it"),
        ({"centres": np.full((40, 16), np.nan, np.float32)}, "is damaged: delete it"),
        ({"recall": np.array([{}, {}], object)}, "Object arrays cannot be loaded"),
    ],
    ids=["beyond", "before", "fewer", "shorter", "no numbers", "objects"],
)
def test_an_inverted_file_of_untrusted_hands_never_reaches_faiss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Array], said: str
) -> None:
    rows = clustered(3000)
    Gallery.create(tmp_path / "g", "m", 16).add(rows, entries(3000), "m")
    Gallery.open(tmp_path / "g", InvertedFile(lists=40, probes=20)).search(rows[:1], 5)
    with np.load(tmp_path / "g" / "ivf.npz") as stored:
        arrays = {**stored}
    np.savez(tmp_path / "g" / "ivf.npz", **{**arrays, **changed})
    monkeypatch.setattr("hicmd_tf.search.inverted.filled", lambda *_: pytest.fail("it reached faiss"))
    with pytest.raises(UserError, match=said):
        Gallery.open(tmp_path / "g", InvertedFile(lists=40, probes=20)).search(rows[:1], 5)


def test_a_kept_inverted_file_finds_what_the_new_one_found(tmp_path: Path) -> None:
    rows = clustered(3000)
    Gallery.create(tmp_path / "g", "m", 16).add(rows, entries(3000), "m")
    found = [Gallery.open(tmp_path / "g", InvertedFile(lists=40, probes=5, least_recall=0)).search(rows[:50], 9)]
    kept = InvertedFile(lists=40, probes=5, least_recall=0)
    found.append(Gallery.open(tmp_path / "g", kept).search(rows[:50], 9))
    assert found[0] == found[1] and kept.recall is not None and 0 < kept.recall.ten < 1


def test_an_inverted_file_that_finds_too_little_is_refused(tmp_path: Path) -> None:
    rows = drawn(3000, 16)  # without clusters
    Gallery.create(tmp_path / "g", "m", 16).add(rows, entries(3000), "m")
    with pytest.raises(UserError, match="of the ten nearest with 1 probes"):
        Gallery.open(tmp_path / "g", InvertedFile(lists=60, probes=1)).search(rows[:1], 5)
