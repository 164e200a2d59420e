"""How many workers describe on Ray, of the cores and cards that it says it has."""

import sys
from types import SimpleNamespace

import pytest

from hicmd_tf.errors import UserError
from hicmd_tf.extraction.describers import Model
from hicmd_tf.extraction.on_ray import _room


def room(monkeypatch: pytest.MonkeyPatch, cores: int, cards: int, workers: int, threads: int, device: str) -> int:
    there = {"CPU": float(cores), "GPU": float(cards)}
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(cluster_resources=lambda: there))
    return _room(workers, Model("exported", "", device=device, threads=threads))


@pytest.mark.parametrize(
    ("cores", "cards", "workers", "threads", "device", "expected"),
    [
        (4, 0, 0, 0, "", 4),  # each core decodes and describes
        (1, 0, 0, 1, "cpu", 1),
        (4, 0, 3, 1, "", 3),
        (9, 0, 0, 2, "", 3),  # one core decodes, three quarters of what is left
        (3, 0, 0, 2, "", 1),
        (16, 2, 0, 1, "cuda", 2),
        (2, 4, 0, 1, "cuda", 1),
    ],
)
def test_as_many_as_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch, cores: int, cards: int, workers: int, threads: int, device: str, expected: int
) -> None:
    assert room(monkeypatch, cores, cards, workers, threads, device) == expected


@pytest.mark.parametrize(
    ("cores", "workers", "threads", "device", "said"),
    [
        (4, 5, 1, "", "--workers is 5, and there is room for 4"),
        (2, 0, 2, "", "Ray has 2 cores: expected one to decode, and those of --threads to describe"),
        (8, 1, 1, "cuda", "no machine of Ray's has a GPU"),
    ],
)
def test_what_there_is_no_room_for(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, threads: int, device: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        room(monkeypatch, cores, 0, workers, threads, device)
