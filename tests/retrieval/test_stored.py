"""Descriptors on disk, whoever wrote them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hicmd_tf.data.labels import number, texts_of
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.stored import read_descriptors, write_descriptors

WHOLE = {
    "descriptors": np.eye(3, dtype=np.float32),
    "identities": np.array([1, 2, 3]),
    "cameras": np.array([1, 1, 2]),
    "modality": np.array(["visible", "visible", "infrared"]),
    "names": np.array(["c", "a", "b"]),
}


def test_what_is_written_comes_back_sorted_by_name_with_what_people_are_called(tmp_path: Path) -> None:
    anna, gate = number("anna"), number("192.168.1.64")
    identities, cameras = np.array([anna, 12, -1]), np.array([gate, gate, 3])
    texts = texts_of(["anna", "192.168.1.64"])
    samples = Samples([b""] * 3, ["c", "a", "b"], identities, np.array([False, False, True]), cameras, texts=texts)
    write_descriptors(tmp_path / "d.npz", WHOLE["descriptors"], samples, "cafe")
    descriptors, found, model = read_descriptors(tmp_path / "d.npz")
    assert model == "cafe" and found.names == ["a", "b", "c"]
    assert found.identities.tolist() == [12, -1, anna] and found.infrared.tolist() == [False, True, False]
    np.testing.assert_array_equal(descriptors, WHOLE["descriptors"][[1, 2, 0]])
    assert [found.identity(row) for row in range(3)] == ["12", "unknown", "anna"]
    assert [found.camera(row) for row in range(3)] == ["192.168.1.64", "3", "192.168.1.64"]


def test_who_described_need_not_be_known(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", **WHOLE)
    assert read_descriptors(tmp_path / "d.npz").model == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"descriptors": np.array([["a"]] * 3)}, "descriptors is <U1, expected numbers"),
        ({"identities": np.array([1.5, 2, 3])}, "identities is float64, expected whole numbers"),
        ({"identities": np.array([1, 2])}, r"identities has shape \(2,\), expected \(3,\)"),
        ({"names": np.array([1, 2, 3])}, "names is int64, expected text"),
        ({"identity_texts": np.array(["1", "2", "anna"])}, "identity_texts calls 3 'anna', whose number is"),
        ({"camera_texts": np.array(["1", "1"])}, r"camera_texts has shape \(2,\), expected \(3,\)"),
        ({"modality": np.array(["visible", "thermal", "infrared"])}, "modality has 'thermal'"),
        ({"names": np.array([None] * 3, object)}, "Object arrays cannot be loaded"),
    ],
)
def test_other_arrays_are_named(tmp_path: Path, changed: dict[str, np.ndarray], said: str) -> None:
    np.savez(tmp_path / "d.npz", **{**WHOLE, **changed})
    with pytest.raises(UserError, match=said):
        read_descriptors(tmp_path / "d.npz")


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", **{key: value for key, value in WHOLE.items() if key != "cameras"})
    with pytest.raises(UserError, match=r"d\.npz has no array cameras"):
        read_descriptors(tmp_path / "d.npz")


def test_tracks_and_times_are_kept_where_there_are_some(tmp_path: Path) -> None:
    plain = Samples([b""] * 3, ["c", "a", "b"], np.arange(3), np.zeros(3, bool), np.zeros(3, np.int64))
    write_descriptors(tmp_path / "plain.npz", WHOLE["descriptors"], plain)
    with np.load(tmp_path / "plain.npz") as arrays:
        assert not {"tracks", "track_texts", "times"} & {*arrays}
    assert not read_descriptors(tmp_path / "plain.npz").samples.tracked.any()
    north = number("north")
    samples = replace(
        plain, tracks=np.array([north, -1, 7]), texts=texts_of(["north"]), times=np.array([np.nan, 12.5, 3.0])
    )
    write_descriptors(tmp_path / "d.npz", WHOLE["descriptors"], samples)
    found = read_descriptors(tmp_path / "d.npz").samples
    assert [found.track(row) for row in range(3)] == ["", "7", "north"]
    np.testing.assert_array_equal(found.times, [12.5, 3.0, np.nan])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tracks": np.array([5, 5, -1])}, "track 5 is of two people, 1 in c and 2 in a"),
        ({"tracks": np.array([0.5, 1, 2])}, "tracks is float64, expected whole numbers"),
        ({"track_texts": np.array(["a"] * 3)}, "has no array tracks: expected .*tracks, one row per picture"),
        ({"times": np.array(["1", "2", "3"])}, "times is <U1, expected numbers"),
    ],
)
def test_tracks_that_are_none_are_refused(tmp_path: Path, changed: dict[str, np.ndarray], said: str) -> None:
    np.savez(tmp_path / "d.npz", **{**WHOLE, **changed})
    with pytest.raises(UserError, match=said):
        read_descriptors(tmp_path / "d.npz")
