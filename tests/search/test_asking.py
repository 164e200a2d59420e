"""People look for the same person as seen by the other modality, and do not want to find the query itself."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES
from hicmd_tf.search import Entry, Gallery, Selection, look_up

QUERY = np.float32([[1, 0]])


def entry(number: int, path: str = "", **known: Any) -> Entry:
    given: dict[str, Any] = {"identity": number // 2, "camera": 1, "time": 0.0, "digest": f"content {number}"}
    return Entry(**{"path": path or f"/p/{number}.png", "modality": MODALITIES[number % 2], **given, **known})


def filled(store: Any) -> Any:
    """Twelve pictures, every other one infrared; the lower the number, the more like the first axis."""
    angles = np.arange(12) / 20
    store.add(np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32), [entry(n) for n in range(12)], "m")
    return store


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return filled(Gallery.create(tmp_path / "g"))


def numbers(hits: Any) -> list[int]:
    return [int(Path(hit.entry.path).stem) for hit in hits]


def test_by_default_a_query_finds_the_other_modality_and_never_itself(store: Any) -> None:
    filled(store)
    for number, options, found, left_out in (
        (0, {}, [1, 3, 5], []),
        (1, {}, [0, 2, 4], []),
        (0, {"among": "same"}, [2, 4, 6], [entry(0)]),
        (0, {"among": "both"}, [1, 2, 3], [entry(0)]),
        (0, {"among": "both", "itself": True}, [0, 1, 2], []),
        (0, {"selection": Selection(modality="visible")}, [2, 4, 6], [entry(0)]),
        (0, {"selection": Selection(modality="infrared")}, [1, 3, 5], []),
    ):
        (answer,) = look_up(store, QUERY, [entry(number)], 3, **options)
        assert (numbers(answer.hits), answer.left_out) == (found, left_out), options


def test_every_query_has_its_own_other_modality(gallery: Gallery) -> None:
    queries = [entry(0), entry(1), entry(2), entry(3)]
    found = look_up(gallery, np.repeat(QUERY, 4, 0), queries, 2, Selection(identities=[0, 1, 2]))
    assert [numbers(answer.hits) for answer in found] == [[1, 3], [0, 2], [1, 3], [0, 2]]
    assert look_up(gallery, np.empty((0, 2), np.float32), [], 2) == []


def test_what_is_the_query_itself(gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    real = os.path.realpath("real/0.png")
    gallery.add(np.repeat(QUERY, 2, 0), [entry(0, real), entry(0, "/data/people/anna/1.png", digest="of a file")], "m")
    turned = np.float32([[1, 0.1]])
    anna, nobody = ["/data/people/anna/1.png"], list[str]()
    for query, descriptor, left_out in (
        (entry(0, "/elsewhere/copy.png"), QUERY, ["/p/0.png", real]),  # of the same content
        (entry(0, "/copy.png", modality="infrared"), QUERY, nobody),  # the same file, said to be infrared
        (entry(0, "/elsewhere/other.png", digest=""), QUERY, nobody),
        *((entry(0, path, digest="x"), QUERY, [real]) for path in ("real/0.png", "./link/0.png", "real/../link/0.png")),
        (entry(0, "people/anna/1.png", digest="of descriptors"), QUERY, anna),  # as files of descriptors name it
        (entry(0, "anna/1.png", digest=""), QUERY, anna),
        (entry(0, "anna/1.png", digest=""), turned, nobody),  # of the same name, but not alike
        (entry(1, "anna/1.png", digest=""), QUERY, nobody),  # what the other camera saw
        (entry(0, "na/1.png", digest=""), QUERY, nobody),
        (entry(0, "/mnt/data/people/anna/1.png", digest=""), QUERY, nobody),  # another one by its path
    ):
        (answer,) = look_up(gallery, descriptor, [query], 3, among="both")
        assert [one.path for one in answer.left_out] == left_out, query
    gallery.add(QUERY, [entry(0, "berta/1.png", digest="of descriptors")], "m")
    (answer,) = look_up(gallery, QUERY, [entry(0, "/data/berta/1.png", digest="of a file now")], 9, among="same")
    assert [one.path for one in answer.left_out] == ["berta/1.png"]


def test_so_many_copies_that_they_would_fill_the_list(gallery: Gallery) -> None:
    gallery.add(np.repeat(QUERY, 30, 0), [entry(0, f"/copies/{n}.png") for n in range(30)], "m")
    (answer,) = look_up(gallery, QUERY, [entry(0)], 3, among="both")
    assert numbers(answer.hits) == [1, 2, 3] and len(answer.left_out) == 31
    (answer,) = look_up(gallery, QUERY, [entry(0)], 99, among="same")
    assert len(answer.hits) == 5 and len(answer.left_out) == 31


def test_as_many_as_a_gallery_gives(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(gallery), "most", 6)
    searched = gallery.search
    monkeypatch.setattr(gallery, "search", lambda q, k, s: searched(q, k, s) if k <= 6 else pytest.fail("too many"))
    (answer,) = look_up(gallery, QUERY, [entry(0)], 6)
    assert numbers(answer.hits) == [1, 3, 5, 7, 9, 11]
    (answer,) = look_up(gallery, QUERY, [entry(0)], 6, among="both")
    assert numbers(answer.hits) == [1, 2, 3, 4, 5] and answer.left_out == [entry(0)]
    for k, queries, said in ((7, 1, "k is 7, expected 1 to 6"), (0, 1, "k is 0"), (1, 2, "1 descriptors for 2")):
        with pytest.raises(UserError, match=said):
            look_up(gallery, QUERY, [entry(0)] * queries, k)
