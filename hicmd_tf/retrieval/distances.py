"""Distances between descriptors, bounded in memory and repeatable under ties (imports no TensorFlow)."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from hicmd_tf.errors import UserError

Array = np.ndarray[Any, Any]

BLOCK = 512  # queries at a time


def check_descriptors(descriptors: Array, name: str) -> None:
    """Raises UserError unless descriptors are a finite (N, D) array of at least one row, none of them zero."""
    if descriptors.ndim != 2 or not descriptors.size:
        raise UserError(f"{name} descriptors must be a non-empty array of shape (N, D), received {descriptors.shape}")
    if not np.isfinite(descriptors).all():
        row = int(np.flatnonzero(~np.isfinite(descriptors).all(axis=1))[0])
        raise UserError(f"{name} descriptor {row} is not finite: the network that made it has diverged")
    if not np.any(descriptors, axis=1).all():
        row = int(np.flatnonzero(~np.any(descriptors, axis=1))[0])
        raise UserError(f"{name} descriptor {row} is all zeros, which has no direction to compare")


def cosine_distances(queries: Array, gallery: Array) -> Iterator[tuple[int, Array]]:
    """Blocks of negative cosines (Q_block, G) with the number of their first query.

    On vectors of length 1 they rank as Euclidean distances do. Products come first and norms after, and equal gallery
    rows are compared once, so that pictures with the same descriptor tie exactly whatever the matrix product rounds.
    """
    distinct, position = np.unique(gallery, axis=0, return_inverse=True)
    norms = np.sqrt(np.square(distinct, dtype=np.float64).sum(axis=1))
    repeated = len(distinct) < len(gallery)
    columns, norms = (distinct, norms) if repeated else (gallery, norms[position.reshape(-1)])
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK]
        lengths = np.sqrt(np.square(block, dtype=np.float64).sum(axis=1))
        distances = -(block @ columns.T) / lengths[:, None] / norms
        yield start, distances[:, position.reshape(-1)] if repeated else distances
