"""Cosine distances by blocks."""

import numpy as np
import pytest

from hicmd_tf.errors import UserError
from hicmd_tf.retrieval import distances
from hicmd_tf.retrieval.distances import checked, cosine_distances, repeated


def test_blocks_make_up_the_whole_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
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
    np.testing.assert_array_equal(block[:, [0, 0]], block[:, -2:])


def test_repeated_rows_are_found_among_rows_that_only_begin_alike() -> None:
    rows = np.array([[0, 1], [0, 2], [3, 1], [0, 1], [0, 2], [0, 1]], np.float32)
    copies, originals = repeated(rows)
    assert copies.tolist() == [3, 4, 5] and originals.tolist() == [0, 1, 0]
    assert not len(repeated(rows[:3])[0])


@pytest.mark.parametrize(("given", "held"), [(np.float16, np.float32), (np.int64, np.float64), (np.float64, None)])
def test_small_and_whole_numbers_are_compared_in_types_that_hold_them(given: type, held: type | None) -> None:
    assert checked(np.ones((2, 2), given), "query").rows.dtype == (held or given)


@pytest.mark.parametrize(
    ("descriptors", "named"),
    [
        (np.array([[1.0, 0], [np.nan, 1]]), "query descriptor 1 is not finite"),
        (np.array([[1.0, 0], [0, 0]]), "query descriptor 1 is all zeros"),
        (np.ones(2), r"shape \(N, D\), received float64 \(2,\)"),
        (np.ones((0, 2)), "non-empty"),
        (np.array([["a", "b"]]), "must be numbers"),
    ],
)
def test_what_cannot_be_compared_is_named(descriptors: np.ndarray, named: str) -> None:
    with pytest.raises(UserError, match=named):
        checked(descriptors, "query")
