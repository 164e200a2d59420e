"""Several pictures as one query, and people and tracks found instead of pictures, against loops and by hand."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.data.labels import number
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES
from hicmd_tf.retrieval.stored import write_descriptors
from hicmd_tf.retrieval.tracks import Groups, Pool, mean_descriptors
from hicmd_tf.search import Entry, Gallery, Selection, look_up
from hicmd_tf.search.asking import By
from hicmd_tf.search.describe import stored
from hicmd_tf.search.milvus import MilvusGallery

Array = np.ndarray[Any, Any]


def entry(path: str, identity: int = -1, camera: int = 1, modality: str = "visible", track: str = "") -> Entry:
    return Entry(path, identity, camera, modality, 0.0, f"content of {path}", track=track)


@st.composite
def galleries(draw: st.DrawFn) -> tuple[Array, list[Entry]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    entries = [entry("known.png", 0, track="known")]
    for place in range(draw(st.integers(1, 20))):
        person, camera, modality = int(rng.integers(-1, 2)), int(rng.integers(1, 3)), str(rng.choice(MODALITIES))
        track = f"{person} {camera} {modality}" if rng.random() < 0.7 else ""
        entries.append(entry(f"{place}.png", person, camera, modality, track))
    return rng.standard_normal((len(entries), 4)).astype(np.float32), entries


def naive(
    descriptors: Array, entries: list[Entry], asked: Array, by: By | None, pool: Pool
) -> dict[object, tuple[float, int, str]]:
    """Of each group its similarity, how many pictures it has and the most similar one, by loops over pictures."""
    unit, queries = ([row / np.sqrt(float(sum(row * row))) for row in of.astype(float)] for of in (descriptors, asked))
    groups: dict[object, list[int]] = {}
    for row, one in enumerate(entries):
        track = ("track", one.track) if one.track and by else ("alone", row)
        groups.setdefault(one.identity if by == "person" and one.identity >= 0 else track, []).append(row)
    mean = sum(queries) / len(queries)
    found = {}
    for key, rows in groups.items():
        if pool == "best":
            each = {row: max(float(sum(unit[row] * query)) for query in queries) for row in rows}
            similarity = max(each.values())
        else:
            each = {row: float(sum(unit[row] * mean)) for row in rows}
            whole = sum(unit[row] for row in rows)
            similarity = float(sum(whole * mean) / np.sqrt(sum(whole**2) * sum(mean**2)))
        found[key] = (similarity, len(rows), entries[max(rows, key=each.__getitem__)].path)
    return found


@given(galleries(), st.sampled_from([None, "person", "track"]), st.sampled_from(["mean", "best"]), st.integers(1, 3))
def test_groups_are_those_of_loops_over_pictures(
    tmp_path_factory: pytest.TempPathFactory,
    gallery: tuple[Array, list[Entry]],
    by: By | None,
    pool: Pool,
    pictures: int,
) -> None:
    descriptors, entries = gallery
    store = Gallery.create(tmp_path_factory.mktemp("gallery") / "g")
    store.add(descriptors, entries, "m")
    asked = np.random.default_rng(pictures).standard_normal((pictures, 4)).astype(np.float32)
    queries = [entry(f"/elsewhere/query {place}") for place in range(pictures)]
    (answer,) = look_up(store, asked, queries, 99, among="both", together=True, group_by=by, pool=pool)
    expected = sorted(naive(descriptors, entries, asked, by, pool).values(), reverse=True)
    assert [(hit.pictures, hit.entry.path) for hit in answer.hits] == [one[1:] for one in expected]
    assert [hit.similarity for hit in answer.hits] == pytest.approx([one[0] for one in expected], abs=1e-6)
    assert answer.left_out == [] and sum(hit.pictures for hit in answer.hits) == len(entries)


def people(store: Any) -> Any:
    """Anna's track of two pictures at 0 and 80 degrees, Bob's of two at 20 degrees; a stranger's at 30, one at 90."""
    degrees = np.radians([0, 80, 20, 20, 30, 30, 90])
    anna, bob = ({"identity": of, "track": name} for of, name in ((1, "1"), (2, "2")))
    entries = [
        *(entry(f"/p/anna{n}.png", modality="infrared", **anna) for n in range(2)),
        *(entry(f"/p/bob{n}.png", modality="infrared", camera=2, **bob) for n in range(2)),
        *(entry(f"/p/nobody{n}.png", modality="infrared", camera=3, track="3") for n in range(2)),
        entry("/p/alone.png", modality="infrared", camera=3),
    ]
    store.add(np.stack([np.cos(degrees), np.sin(degrees)], 1).astype(np.float32), entries, "m")
    return store


QUERY = np.float32([[1, 0]])


def names(answer: Any) -> list[str]:
    return [Path(hit.entry.path).stem for hit in answer.hits]


def test_each_person_and_each_track_once(store: Any) -> None:
    people(store)
    asked = [entry("query.png")]
    for by, pool, found, pictures in (
        ("person", "best", ["anna0", "bob0", "nobody0", "alone"], [2, 2, 2, 1]),
        ("track", "mean", ["bob0", "nobody0", "anna0", "alone"], [2, 2, 2, 1]),
    ):
        (answer,) = look_up(store, QUERY, asked, 4, group_by=by, pool=pool)
        assert (names(answer), [hit.pictures for hit in answer.hits]) == (found, pictures)
        (answer,) = look_up(store, QUERY, asked, 1, Selection(not_cameras=[1, 2]), group_by=by, pool=pool)
        assert names(answer) == ["nobody0"]
    (answer,) = look_up(store, QUERY, asked, 4, Selection(cameras=[3], identities=[1]), group_by="person")
    assert answer.hits == []


def test_the_query_and_its_track_are_left_out(store: Any) -> None:
    people(store)
    own = [entry("/p/anna0.png", modality="infrared")]  # whose track the gallery knows
    twin = [own[0]._replace(path="/copy/x.png", digest="content of /p/anna0.png")]
    named = [own[0]._replace(path="/p/new.png", identity=1, track="1")]
    for asked, among in ((own, "same"), (twin, "both"), (named, "both"), (own * 2, "same")):
        kinds: list[dict[str, Any]] = [{}, {"group_by": "track"}, {"group_by": "person", "pool": "best"}]
        for options in kinds if len(asked) == 1 else [{"together": True, "pool": pool} for pool in ("mean", "best")]:
            (answer,) = look_up(store, np.repeat(QUERY, len(asked), 0), asked, 9, among=among, **options)
            assert not any(name.startswith("anna") for name in names(answer)) and names(answer)[0] == "bob0"
            assert {one.path for one in answer.left_out} == {"/p/anna0.png", "/p/anna1.png"}
    (answer,) = look_up(store, QUERY, own, 9, Selection(paths=["/p/anna1.png", "/p/bob0.png"]), among="same")
    assert names(answer) == ["bob0"]  # though the query itself is not among what is searched
    (answer,) = look_up(store, QUERY, own, 9, among="same", itself=True, group_by="track")
    assert sorted(names(answer)) == ["alone", "anna0", "bob0", "nobody0"] and answer.left_out == []


def test_one_name_in_several_folders_is_several_tracks(store: Any) -> None:
    four = [entry(f"{n}.png", modality="infrared", track="1")._replace(track_folder=f"/day/{n}") for n in range(4)]
    store.add(np.eye(4, dtype=np.float32), four, "m")
    (answer,) = look_up(store, np.float32([[4, 3, 2, 1]]), [entry("q.png")], 9, group_by="track")
    assert [hit.pictures for hit in answer.hits] == [1] * 4


def test_pictures_of_one_query_are_its_mean(tmp_path: Path) -> None:
    store = people(Gallery.create(tmp_path / "g"))
    two = np.float32([[2, 0], [0, 9]])
    (answer,) = look_up(store, two, [entry("a.png"), entry("b.png")], 3, together=True)
    (same,) = look_up(store, mean_descriptors(two, Groups.of(np.zeros(2))), [entry("a.png")], 3)
    assert names(answer) == names(same)
    assert [hit.similarity for hit in answer.hits] == pytest.approx([hit.similarity for hit in same.hits], abs=1e-6)
    assert look_up(store, np.empty((0, 2), np.float32), [], 3, together=True) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"group_by": "track"}, "no picture that is searched has a track: index a folder whose"),
        ({"group_by": "person"}, "no picture that is searched is of a known person, or of a track"),
        ({"group_by": "day"}, "group_by is 'day': expected None or 'person' or 'track'"),
        ({"pool": "max"}, "pool is 'max': expected 'mean' or 'best'"),
        ({"together": True}, "the pictures that are one query are of two modalities"),
    ],
)
def test_groups_by_what_there_is_not_are_refused(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    store = Gallery.create(tmp_path / "g")
    store.add(np.eye(2, dtype=np.float32), [entry("a.png"), entry("b.png", modality="infrared")], "m")
    with pytest.raises(UserError, match=said) as refused:
        look_up(store, np.eye(2, dtype=np.float32), [entry("x"), entry("y", modality="infrared")], 1, **options)
    assert "\n" not in str(refused.value)


def test_a_gallery_of_an_earlier_version_is_read_and_grows(tmp_path: Path) -> None:
    folder = tmp_path / "g"
    people(Gallery.create(folder))
    manifest = json.loads((folder / "gallery.json").read_text())
    (part,) = manifest["parts"]
    pq.write_table(pq.read_table(folder / part).drop_columns(["track", "track_folder"]), folder / part)
    (folder / "gallery.json").write_text(json.dumps({**manifest, "format": 3}))
    store = Gallery.open(folder)
    (answer,) = look_up(store, QUERY, [entry("q.png")], 9, group_by="person", pool="best")
    assert [hit.pictures for hit in answer.hits] == [2, 2, 1, 1, 1] and answer.hits[0].entry.track == ""
    with pytest.raises(UserError, match="no picture that is searched has a track"):
        look_up(store, QUERY, [entry("q.png")], 9, group_by="track")
    assert people(store).info().rows == 7  # whose tracks are known now
    (answer,) = look_up(store, QUERY, [entry("q.png")], 9, group_by="track")
    assert [hit.pictures for hit in answer.hits] == [2, 2, 2, 1]
    assert json.loads((folder / "gallery.json").read_text())["format"] == 4
    store.remove(Selection(cameras=[1]))
    assert Gallery.open(folder).info().rows == 5


def test_a_collection_of_an_earlier_version_is_read_and_takes_no_tracks(
    milvus_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("milvus_lite", reason="pip install 'hicmd-tf[milvus]'")
    from hicmd_tf.search import milvus

    store = MilvusGallery(milvus_file, "earlier")
    without = {name: most for name, most in milvus.TEXTS.items() if name not in milvus.LATER}
    monkeypatch.setattr(milvus, "TEXTS", without)
    store._fields = [name for name in milvus.FIELDS if name not in milvus.LATER]
    store.add(QUERY, [entry("a.png", 1, modality="infrared")], "m")
    monkeypatch.undo()
    again = MilvusGallery.open(milvus_file, "earlier")
    (answer,) = look_up(again, QUERY, [entry("q.png")], 9, group_by="person")
    assert [hit.entry.path for hit in answer.hits] == ["a.png"]
    again.add(QUERY, [entry("b.png", 1, modality="infrared")], "m")
    with pytest.raises(UserError, match="was made by a version that knew no tracks: index into another"):
        again.add(QUERY, [entry("c.png", 1, track="1")], "m")


def test_a_file_of_descriptors_gives_its_tracks_and_times(tmp_path: Path) -> None:
    samples = Samples(
        [b""] * 2, ["a", "b"], np.array([1, 1]), np.zeros(2, bool), np.ones(2, np.int64), texts={number("n"): "n"}
    )
    known = replace(samples, tracks=np.array([number("n")] * 2), times=np.array([12.5, np.nan]))
    write_descriptors(tmp_path / "d.npz", np.eye(2, dtype=np.float32), known)
    entries = stored(tmp_path / "d.npz").entries
    assert [one.sequence for one in entries] == [(str(tmp_path / "d.npz"), "n")] * 2
    assert [one.time for one in entries] == [12.5, (tmp_path / "d.npz").stat().st_mtime]
    held = {one.path: one._replace(time=7.0) for one in entries}
    assert [one.time for one in stored(tmp_path / "d.npz", held=lambda paths: held).entries] == [12.5, 7.0]
    with pytest.raises(UserError, match="--time is given, but it is known when a was taken"):
        stored(tmp_path / "d.npz", time=3.0)
