"""People look for the same person as seen by the other modality, and do not want to find the query itself."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES
from hicmd_tf.search import Entry, Gallery, Selection, look_up
from hicmd_tf.search.milvus import MilvusGallery

Array = np.ndarray[Any, Any]


def entry(number: int, path: str = "", **known: Any) -> Entry:
    given: dict[str, Any] = {"identity": number // 2, "camera": 1, "time": 0.0, "digest": f"content {number}"}
    return Entry(**{"path": path or f"/p/{number}.png", "modality": MODALITIES[number % 2], **given, **known})


@pytest.fixture(params=["folder", "milvus"])
def gallery(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Twelve pictures, every other one infrared; the lower the number, the more like the first axis."""
    if request.param == "milvus":
        made: Any = MilvusGallery.begin(*request.getfixturevalue("milvus")(), "m", 2)
    else:
        made = Gallery.begin(tmp_path / "g", "m", 2)
    made.finish()
    angles = np.arange(12) / 20
    made.add(np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32), [entry(n) for n in range(12)], "m")
    return made


QUERY = np.float32([[1, 0]])


def numbers(hits: Any) -> list[int]:
    return [int(Path(hit.entry.path).stem) for hit in hits]


def test_by_default_a_query_finds_the_other_modality_and_never_itself(gallery: Any) -> None:
    for query, found in ((entry(0), [1, 3, 5]), (entry(1), [0, 2, 4])):
        (answer,) = look_up(gallery, QUERY, [query], 3)
        assert numbers(answer.hits) == found and answer.left_out == []
    (answer,) = look_up(gallery, QUERY, [entry(0)], 3, among="same")
    assert numbers(answer.hits) == [2, 4, 6] and answer.left_out == [entry(0)]
    (answer,) = look_up(gallery, QUERY, [entry(0)], 3, among="both")
    assert numbers(answer.hits) == [1, 2, 3] and answer.left_out == [entry(0)]
    (answer,) = look_up(gallery, QUERY, [entry(0)], 3, among="both", itself=True)
    assert numbers(answer.hits) == [0, 1, 2] and answer.left_out == []
    for modality, found in (("visible", [2, 4]), ("infrared", [1, 3])):
        (answer,) = look_up(gallery, QUERY, [entry(0)], 2, Selection(modality=modality))
        assert numbers(answer.hits) == found


def test_every_query_has_its_own_other_modality(gallery: Any) -> None:
    queries = [entry(0), entry(1), entry(2), entry(3)]
    found = look_up(gallery, np.repeat(QUERY, 4, 0), queries, 2, Selection(identities=[0, 1, 2]))
    assert [numbers(answer.hits) for answer in found] == [[1, 3], [0, 2], [1, 3], [0, 2]]
    assert look_up(gallery, np.empty((0, 2), np.float32), [], 2) == []


def test_a_copy_is_the_query_too_but_not_what_the_other_camera_saw(gallery: Any) -> None:
    copy = entry(0, "/elsewhere/copy.png")
    (answer,) = look_up(gallery, QUERY, [copy], 2, among="both")
    assert numbers(answer.hits) == [1, 2] and answer.left_out == [entry(0)]
    twin = entry(0, "/elsewhere/twin.png", modality="infrared")  # the same file, said to be infrared
    (answer,) = look_up(gallery, QUERY, [twin], 2)
    assert numbers(answer.hits) == [0, 2]
    nameless = entry(0, "/elsewhere/other.png", digest="")
    (answer,) = look_up(gallery, QUERY, [nameless], 1, among="both")
    assert numbers(answer.hits) == [0]


def test_so_many_copies_that_they_would_fill_the_list(gallery: Any) -> None:
    copies = [entry(0, f"/copies/{n}.png") for n in range(30)]
    gallery.add(np.repeat(QUERY, 30, 0), copies, "m")
    (answer,) = look_up(gallery, QUERY, [entry(0)], 3, among="both")
    assert numbers(answer.hits) == [1, 2, 3] and len(answer.left_out) == 31
    (answer,) = look_up(gallery, QUERY, [entry(0)], 99, among="same")
    assert len(answer.hits) == 5 and len(answer.left_out) == 31


def test_a_query_is_known_by_whatever_leads_to_its_file(
    gallery: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    kept = entry(0, os.path.realpath(tmp_path / "real" / "0.png"), digest="")
    gallery.add(QUERY, [kept], "m")
    monkeypatch.chdir(tmp_path)
    for path in ("real/0.png", "./link/0.png", "real/../link/0.png", str(tmp_path / "link" / "0.png")):
        (answer,) = look_up(gallery, QUERY, [entry(0, path, digest="none")], 2, among="same")
        assert answer.left_out == [kept] and numbers(answer.hits) == [0, 2], path
    for odd in ("\0", "a\nb", ""):
        assert look_up(gallery, QUERY, [entry(0, odd or ".")], 1, among="same")[0].hits


def test_a_file_of_descriptors_knows_the_pictures_by_their_ends(gallery: Any) -> None:
    """`extract` names pictures by their path below a folder, and knows the SHA-256 of their descriptors alone."""
    kept = entry(0, "/data/people/anna/1.png")
    gallery.add(QUERY, [kept], "m")
    for path, left_out in (
        ("people/anna/1.png", [kept]),
        ("anna/1.png", [kept]),
        ("/mnt/data/people/anna/1.png", []),  # another one by its path
        ("na/1.png", []),
        ("bert/1.png", []),
    ):
        (answer,) = look_up(gallery, QUERY, [entry(0, path, digest="of descriptors")], 2, among="both")
        assert answer.left_out == left_out, path
    (answer,) = look_up(gallery, QUERY, [entry(1, "anna/1.png", digest="")], 1)
    assert answer.left_out == []  # what the other camera saw
    turned = np.float32([[1, 0.1]])
    (answer,) = look_up(gallery, turned, [entry(0, "anna/1.png", digest="")], 1, among="same")
    assert answer.left_out == []  # of the same name, but not alike
    gallery.add(QUERY, [entry(0, "berta/1.png", digest="of descriptors")], "m")
    (answer,) = look_up(gallery, QUERY, [entry(0, "/data/berta/1.png", digest="of a file")], 3, among="same")
    assert [one.path for one in answer.left_out] == ["berta/1.png"]


def test_as_many_as_a_gallery_gives(gallery: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(gallery), "most", 6)
    searched = gallery.search
    monkeypatch.setattr(gallery, "search", lambda q, k, s: searched(q, k, s) if k <= 6 else pytest.fail("too many"))
    (answer,) = look_up(gallery, QUERY, [entry(0)], 6)
    assert numbers(answer.hits) == [1, 3, 5, 7, 9, 11]
    (answer,) = look_up(gallery, QUERY, [entry(0)], 6, among="both")
    assert numbers(answer.hits) == [1, 2, 3, 4, 5] and answer.left_out == [entry(0)]
    with pytest.raises(UserError, match="7 hits are more than the 6 that the gallery gives"):
        look_up(gallery, QUERY, [entry(0)], 7)


def test_what_makes_no_sense_is_refused(gallery: Any) -> None:
    with pytest.raises(UserError, match="among is 'neither', expected 'other', 'same', 'both'"):
        look_up(gallery, QUERY, [entry(0)], 1, among="neither")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="1 descriptors for 2 queries"):
        look_up(gallery, QUERY, [entry(0), entry(1)], 1)


@pytest.mark.parametrize("k", [0, -1])
@pytest.mark.parametrize("itself", [False, True])
def test_fewer_than_one_are_refused(gallery: Any, k: int, itself: bool) -> None:
    with pytest.raises(UserError, match=f"k is {k}, expected at least 1"):
        look_up(gallery, QUERY, [entry(0)], k, itself=itself)
