"""Cosine distances by blocks."""

import numpy as np

from hicmd_tf.retrieval import distances
from hicmd_tf.retrieval.distances import cosine_distances


def test_blocks_make_up_the_whole_matrix(monkeypatch) -> None:
    monkeypatch.setattr(distances, "BLOCK", 4)
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(10, 5)), rng.normal(size=(7, 5))
    starts, blocks = zip(*cosine_distances(queries, gallery), strict=True)
    lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(gallery, axis=1)
    assert starts == (0, 4, 8)
    np.testing.assert_allclose(np.concatenate(blocks), -(queries @ gallery.T) / lengths, rtol=1e-12)


def test_equal_gallery_rows_tie_exactly() -> None:
    """Float32 products of equal rows can differ in the last bit by their place in the matrix."""
    rng = np.random.default_rng(1)
    row = rng.normal(size=(1, 333)).astype(np.float32)
    gallery = np.concatenate([row, rng.normal(size=(61, 333)).astype(np.float32), row, row])
    ((_, block),) = cosine_distances(rng.normal(size=(50, 333)).astype(np.float32), gallery)
    np.testing.assert_array_equal(block[:, 0], block[:, -1])
    np.testing.assert_array_equal(block[:, 0], block[:, -2])
