"""Cosine distances by blocks."""

import numpy as np
import pytest

from hicmd_tf.errors import UserError
from hicmd_tf.retrieval import distances
from hicmd_tf.retrieval.distances import check_same_length, checked, cosine_distances, repeated


def test_blocks_make_up_the_whole_matrix(monkeypatch) -> None:
    monkeypatch.setattr(distances, "block_rows", lambda columns, itemsize: 4)
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(10, 5)), rng.normal(size=(7, 5))
    found = cosine_distances(checked(queries, "query"), checked(gallery, "gallery"))
    starts, blocks = zip(*((start, block.copy()) for start, block in found), strict=True)
    assert starts == (0, 4, 8)
    np.testing.assert_allclose(
        np.concatenate(blocks), -(queries @ gallery.T) / np.linalg.norm(gallery, axis=1), rtol=1e-12
    )


def test_equal_gallery_rows_tie_exactly() -> None:
    """Float32 products of equal rows can differ in the last bit by their place in the matrix."""
    rng = np.random.default_rng(1)
    row = rng.normal(size=(1, 333)).astype(np.float32)
    gallery = np.concatenate([row, rng.normal(size=(61, 333)).astype(np.float32), row, row])
    queries = rng.normal(size=(50, 333)).astype(np.float32)
    ((_, block),) = cosine_distances(checked(queries, "query"), checked(gallery, "gallery"))
    np.testing.assert_array_equal(block[:, 0], block[:, -1])
    np.testing.assert_array_equal(block[:, 0], block[:, -2])


def test_repeated_rows_are_found_among_rows_that_only_begin_alike() -> None:
    rows = np.array([[0, 1], [0, 2], [3, 1], [0, 1], [0, 2], [0, 1]], np.float32)
    copies, originals = repeated(rows)
    assert copies.tolist() == [3, 4, 5] and originals.tolist() == [0, 1, 0]
    assert not len(repeated(rows[:3])[0])


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_very_short_and_very_long_float32_rows_keep_their_order(scale: float) -> None:
    """Their products leave float32's range."""
    rng = np.random.default_rng(2)
    queries, gallery = rng.normal(size=(5, 40)), rng.normal(size=(30, 40))
    scaled = [checked((x * scale).astype(np.float32), "query") for x in (queries, gallery)]
    ((_, block),) = cosine_distances(*scaled)
    expected = -(queries @ gallery.T) / np.linalg.norm(gallery, axis=1)
    np.testing.assert_array_equal(np.argsort(block, axis=1), np.argsort(expected, axis=1))


def test_small_and_whole_numbers_are_compared_in_types_that_hold_them() -> None:
    assert checked(np.ones((2, 2), np.float16), "query").rows.dtype == np.float32
    assert checked(np.ones((2, 2), np.int64), "query").rows.dtype == np.float64
    assert checked(np.ones((2, 2), np.float64), "query").rows.dtype == np.float64


@pytest.mark.parametrize(
    ("descriptors", "named"),
    [
        (np.array([[1.0, 0], [np.nan, 1]]), "query descriptor 1 is not finite"),
        (np.array([[1.0, 0], [np.inf, 1]]), "query descriptor 1 is not finite"),
        (np.array([[1.0, 0], [0, 0]]), "query descriptor 1 is all zeros"),
        (np.ones(2), r"shape \(N, D\), received float64 \(2,\)"),
        (np.ones((0, 2)), "non-empty"),
        (np.array([["a", "b"]]), "must be numbers"),
    ],
)
def test_what_cannot_be_compared_is_named(descriptors: np.ndarray, named: str) -> None:
    with pytest.raises(UserError, match=named):
        checked(descriptors, "query")


def test_lengths_must_be_equal() -> None:
    with pytest.raises(UserError, match="query descriptors have length 3, gallery descriptors 2"):
        check_same_length(checked(np.ones((1, 3)), "query"), checked(np.ones((1, 2)), "gallery"))
