"""Descriptors on disk, whoever wrote them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hicmd_tf.data.labels import number, texts_of
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.stored import descriptor_batches, descriptor_count, read_descriptors, write_descriptors

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
    descriptors, found, model, _ = read_descriptors(tmp_path / "d.npz")
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


def test_parquet_comes_back_as_npz_does(tmp_path: Path) -> None:
    anna = number("anna")
    samples = Samples(
        [b""] * 4,
        ["c", "a", "b", "d"],
        np.array([anna, 12, -1, 3]),
        np.array([False, False, True, True]),
        np.array([number("gate"), 1, 3, 2]),
        texts=texts_of(["anna", "gate", "north"]),
        tracks=np.array([number("north"), -1, 7, -1]),
        times=np.array([np.nan, 12.5, 3.0, np.nan]),
    )
    rows, errors, flat = np.eye(4, dtype=np.float32), {3: "can't be decoded"}, np.array([True, False, False, False])
    for name in ("d.npz", "d.parquet"):
        write_descriptors(tmp_path / name, rows, samples, "cafe", errors, flat)
    one, other = (read_descriptors(tmp_path / name) for name in ("d.npz", "d.parquet"))
    for found in (one, other):
        np.testing.assert_array_equal(found.descriptors, rows[[1, 2, 0]])
        assert found.samples.names == ["a", "b", "c"] and found.model == "cafe"
        assert found.failed == {"d": "can't be decoded"}
    for name in ("identities", "infrared", "cameras", "tracks", "times"):
        np.testing.assert_array_equal(getattr(one.samples, name), getattr(other.samples, name))
    assert [other.samples.identity(row) for row in range(3)] == ["12", "unknown", "anna"]
    assert [other.samples.camera(row) for row in range(3)] == ["1", "3", "gate"]
    assert [other.samples.track(row) for row in range(3)] == ["", "7", "north"]


PLAIN = {"path": ["b", "a"], "modality": ["visible", "infrared"], "descriptor": [[1.0, 0.0], [0.0, 1.0]]}


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float64(), 2), pa.large_list(pa.float32())])
def test_parquet_of_anyone_s_making_needs_three_columns(kind: pa.DataType, tmp_path: Path) -> None:
    table = pa.table({**PLAIN, "descriptor": pa.array(PLAIN["descriptor"], kind)})
    pq.write_table(table, tmp_path / "d.parquet")
    found = read_descriptors(tmp_path / "d.parquet")
    np.testing.assert_array_equal(found.descriptors, [[0, 1], [1, 0]])
    assert found.samples.names == ["a", "b"] and found.samples.cameras.tolist() == [2, 1]
    assert not found.samples.known.any() and found.model == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"path": None}, "has no column path: expected path, modality, descriptor"),
        ({"modality": ["visible", "thermal"]}, "modality has 'thermal'"),
        ({"descriptor": [[1.0, 0.0], [1.0]]}, "has descriptors of several lengths"),
        ({"descriptor": [[1.0, 0.0], None]}, "has a row without a descriptor, and without an error"),
        ({"descriptor": [1.0, 2.0]}, "descriptor is double, expected lists of float32"),
        ({"model": ["x", "y"]}, "has descriptors of 2 models"),
        ({"time": ["noon", "night"]}, "time is string, expected seconds since 1970"),
    ],
)
def test_other_parquet_is_named(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    columns = {name: values for name, values in {**PLAIN, **changed}.items() if values is not None}
    pq.write_table(pa.table(columns), tmp_path / "d.parquet")
    with pytest.raises(UserError, match=said):
        read_descriptors(tmp_path / "d.parquet")


def test_the_model_is_known_where_all_rows_of_the_first_part_failed(tmp_path: Path) -> None:
    samples = Samples([b""] * 2, ["a", "b"], np.arange(2), np.zeros(2, bool), np.ones(2, np.int64))
    write_descriptors(tmp_path / "part-0.parquet", np.eye(2), samples, "m", {0: "gone", 1: "gone"})
    assert read_descriptors(tmp_path).model == ""
    samples = replace(samples, names=["c", "d"])
    write_descriptors(tmp_path / "part-1.parquet", np.eye(2), samples, "m")
    found = read_descriptors(tmp_path)
    assert found.model == "m" and found.samples.names == ["c", "d"] and {*found.failed} == {"a", "b"}


def test_parts_are_read_in_batches_and_must_fit_together(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    names = [f"{number:02}" for number in range(10)]
    samples = Samples([b""] * 10, names, np.arange(10), np.zeros(10, bool), np.ones(10, np.int64))
    rows = np.random.default_rng(0).standard_normal((10, 3)).astype(np.float32)
    for start in (0, 7):
        some = np.arange(start, 7 if start == 0 else 10)
        write_descriptors(folder / f"part-{start}.parquet", rows[some], samples.select(some), "m")
    batches = list(descriptor_batches(folder, 4))
    assert [len(batch.descriptors) for batch in batches] == [4, 3, 3] and descriptor_count(folder) == 10
    np.testing.assert_array_equal(read_descriptors(folder).descriptors, rows)
    write_descriptors(folder / "part-8.parquet", rows[:2, :2], samples.select(np.arange(2)), "m")
    with pytest.raises(UserError, match="has descriptors of length 2, before it were some of 3"):
        read_descriptors(folder)
    write_descriptors(folder / "part-8.parquet", rows[:2], samples.select(np.arange(2)), "n")
    with pytest.raises(UserError, match="is of another model than what came before it"):
        read_descriptors(folder)
    (folder / "part-8.parquet").write_bytes((folder / "part-0.parquet").read_bytes()[:-9])
    with pytest.raises(UserError, match="can't be read as descriptors"):
        read_descriptors(folder)
    with pytest.raises(UserError, match="is a folder without Parquet files"):
        read_descriptors(tmp_path)
