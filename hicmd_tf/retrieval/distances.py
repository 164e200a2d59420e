"""Distances between descriptors, bounded in memory and repeatable under ties."""

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.errors import UserError

Array = np.ndarray[Any, Any]
Blocks = Iterator[tuple[int, Array]]

BLOCK_BYTES = 2**25
FEWEST, MOST = 16, 4096  # queries in a block


def block_rows(columns: int, itemsize: int) -> int:
    """How many queries to take at a time."""
    return int(np.clip(BLOCK_BYTES // (columns * itemsize), FEWEST, MOST))


class Descriptors(NamedTuple):
    """Checked descriptors. rows: (N, D) floating. lengths: (N,) float64, positive."""

    rows: Array
    lengths: Array


def checked(descriptors: Array, name: str) -> Descriptors:
    """Raises UserError unless descriptors are a finite (N, D) array of numbers, at least one row, none of them zero."""
    rows = np.asarray(descriptors)
    if rows.ndim != 2 or not rows.size or rows.dtype.kind not in "fiu":
        raise UserError(
            f"{name} descriptors must be numbers in a non-empty array of shape (N, D), "
            f"received {rows.dtype} {rows.shape}"
        )
    rows = np.ascontiguousarray(rows, np.result_type(rows, np.float32))
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    for bad, what in (
        (~np.isfinite(lengths), "is not finite: the network that made it has diverged"),
        (lengths == 0, "is all zeros, which has no direction to compare: the network that made it has collapsed"),
    ):
        if bad.any():
            raise UserError(f"{name} descriptor {bad.argmax()} {what}")
    return Descriptors(rows, lengths)


def cosine_distances(queries: Descriptors, gallery: Descriptors) -> Blocks:
    """Blocks (Q_block, G) of -cosine x the query's length, with the number of their first query. The next block takes
    the place of the one before.

    Within a row they rank as Euclidean distances of vectors of length 1 do, which is all that a ranking asks. Products
    come first and lengths after, and equal gallery rows are given the same number, so that pictures with the same
    descriptor tie exactly whatever the matrix product rounds.
    """
    dtype = np.result_type(queries.rows, gallery.rows)
    columns, scales = gallery.rows.astype(dtype, copy=False).T, -gallery.lengths.astype(dtype)
    copies, originals = repeated(gallery.rows)
    count = len(gallery.rows)
    room = np.empty((min(block_rows(count, dtype.itemsize), len(queries.rows)), count), dtype)
    for start in range(0, len(queries.rows), len(room)):
        rows = queries.rows[start : start + len(room)].astype(dtype, copy=False)
        block = np.matmul(rows, columns, out=room[: len(rows)])
        block /= scales
        block[:, copies] = block[:, originals]
        yield start, block


def repeated(rows: Array) -> tuple[Array, Array]:
    """Rows that equal an earlier one to the bit, and the first that each equals: two (M,) of row numbers."""
    _, inverse, counts = np.unique(rows[:, 0], return_inverse=True, return_counts=True)
    seen: dict[bytes, int] = {}
    pairs = []
    for row in np.flatnonzero(counts[inverse] > 1).tolist():
        first = seen.setdefault(hashlib.blake2b(rows[row].tobytes(), digest_size=16).digest(), row)
        if first != row:
            pairs.append((row, first))
    copies, originals = np.array(pairs, np.int64).reshape(-1, 2).T
    return copies, originals
