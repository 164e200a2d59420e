"""Re-ranking by k-reciprocal neighbours (Zhong et al., CVPR 2017), in blocks.

Queries and gallery together are N pictures with squared Euclidean distances 2 - 2 cos of their unit descriptors, each
row divided by its largest (0 where that is 0). R(i, k) are the k-reciprocal neighbours: those among the first k + 1 of
i, itself included, that have i among their own first k + 1. R(i, 20) grows by R(c, 10) for each of its members c of
which it shares more than two thirds. Over the grown set a picture's weights are exp(-distance), adding up to 1,
averaged over its first 6 neighbours; two pictures' Jaccard distance is 1 - m / (2 - m), m the sum of the smaller of
their weights. What ranks is 0.7 x Jaccard + 0.3 x distance.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.retrieval.distances import Blocks, Descriptors, block_rows, repeated

Array = np.ndarray[Any, Any]

NEIGHBOURS, AVERAGED, ORIGINAL_SHARE = 20, 6, 0.3
"""k1, k2 and lambda of the paper, which every table uses."""
PAIRS = 2**13
"""Pairs of descriptors that are multiplied at a time."""
ROUNDING = 16
"""Squared distances of at most so many epsilons are what rounding leaves of 0."""


class Sparse(NamedTuple):
    """Rows of weights. indices, values: those of row i stand at starts[i] .. starts[i + 1]."""

    starts: Array
    indices: Array
    values: Array


def reranked_distances(queries: Descriptors, gallery: Descriptors) -> Blocks:
    """Blocks (Q_block, G) of final distances with the number of their first query."""
    dtype = np.result_type(queries.rows, gallery.rows)
    unit = np.concatenate([(x.rows / x.lengths[:, None]).astype(dtype) for x in (queries, gallery)])
    near, largest = _neighbours(unit, min(NEIGHBOURS, len(unit) - 1) + 1)
    weights = _averaged(_weights(unit, near, largest), near[:, :AVERAGED])
    by_column = _transposed(weights, len(queries.rows), len(unit))
    copies, originals = repeated(gallery.rows)
    for start, block in _blocks(unit[: len(queries.rows)], unit[len(queries.rows) :]):
        for row in range(len(block)):
            block[row] = _final(block[row] / largest[start + row], weights, by_column, start + row)
        if len(copies):
            block[:, copies] = block[:, originals]
        yield start, block


def _blocks(rows: Array, columns: Array) -> Iterator[tuple[int, Array]]:
    """Squared distances of unit rows, with the number of the block's first row."""
    step = block_rows(len(columns), rows.itemsize)
    for start in range(0, len(rows), step):
        block = rows[start : start + step] @ columns.T
        block *= -2
        block += 2
        yield start, block


def _neighbours(unit: Array, count: int) -> tuple[Array, Array]:
    """The nearest `count` of each row, itself first, then nearest first (N, count); and each row's largest distance,
    inf where that is 0."""
    near, largest = np.empty((len(unit), count), np.int64), np.empty(len(unit), unit.dtype)
    for start, block in _blocks(unit, unit):
        rows = slice(start, start + len(block))
        largest[rows] = block.max(axis=1)
        block[np.arange(len(block)), np.arange(start, rows.stop)] = -np.inf
        near[rows] = _nearest(block, count)
    # Whose largest distance is 0 equals everyone, as when a network has collapsed: divided by this they are 0, too.
    largest[largest <= ROUNDING * np.finfo(unit.dtype).eps] = np.inf
    return near, largest


def _nearest(block: Array, count: int) -> Array:
    """Columns of the `count` smallest of each row, ascending; of equal ones the first."""
    found = np.sort(np.argpartition(block, count - 1, axis=1)[:, :count], axis=1)
    values = np.take_along_axis(block, found, axis=1)
    doubtful = np.count_nonzero(block <= values.max(axis=1, keepdims=True), axis=1) > count
    order = np.argsort(values, axis=1, kind="stable")
    found = np.take_along_axis(found, order, axis=1)
    for row in np.flatnonzero(doubtful):
        found[row] = np.argsort(block[row], kind="stable")[:count]
    return found


def _reciprocal(near: Array, k: int) -> Array:
    """Of the first k + 1 neighbours, which have the row among their own first k + 1: (N, k + 1) bool."""
    first = near[:, : k + 1]
    back = first[first]  # (N, k + 1, k + 1)
    return (back == np.arange(len(near))[:, None, None]).any(axis=2)


def _grown(near: Array) -> Iterator[Array]:
    """For each row its k-reciprocal neighbours with those of neighbours that share more than two thirds, ascending."""
    k = near.shape[1] - 1
    half = min(round(NEIGHBOURS / 2), k)
    whole, part = _reciprocal(near, k), _reciprocal(near, half)
    sets = [near[row][whole[row]] for row in range(len(near))]
    halves = [near[row, : half + 1][part[row]] for row in range(len(near))]
    member = np.zeros(len(near), bool)
    for row in range(len(near)):
        member[sets[row]] = True
        grown = [sets[row]]
        for candidate in sets[row]:
            theirs = halves[candidate]
            if 3 * np.count_nonzero(member[theirs]) > 2 * len(theirs):
                grown.append(theirs)
        member[sets[row]] = False
        yield np.unique(np.concatenate(grown))


def _weights(unit: Array, near: Array, largest: Array) -> Sparse:
    sets = list(_grown(near))
    sizes = np.array([len(x) for x in sets])
    rows, columns = np.repeat(np.arange(len(sets)), sizes), np.concatenate(sets)
    products = np.empty(len(rows), unit.dtype)
    for start in range(0, len(rows), PAIRS):
        pairs = slice(start, start + PAIRS)
        products[pairs] = np.einsum("nd,nd->n", unit[rows[pairs]], unit[columns[pairs]])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    values = np.exp(-(2 - 2 * products.astype(np.float64)) / largest[rows])
    return Sparse(starts, columns, values / np.add.reduceat(values, starts[:-1])[rows])


def _averaged(weights: Sparse, near: Array) -> Sparse:
    """The mean of each row's nearest rows, itself included."""
    indices, values, sizes = [], [], []
    total = np.zeros(len(near))
    for nearest in near:
        spans = [slice(weights.starts[i], weights.starts[i + 1]) for i in nearest]
        for span in spans:
            total[weights.indices[span]] += weights.values[span]
        columns = np.unique(np.concatenate([weights.indices[span] for span in spans]))
        indices.append(columns)
        values.append(total[columns] / len(nearest))
        sizes.append(len(columns))
        total[columns] = 0
    return Sparse(np.concatenate([[0], np.cumsum(sizes)]), np.concatenate(indices), np.concatenate(values))


def _transposed(weights: Sparse, first: int, columns: int) -> Sparse:
    """For each column the gallery rows (from `first` on, counted from 0) that have a weight in it."""
    span = slice(weights.starts[first], None)
    rows = np.repeat(np.arange(len(weights.starts) - 1 - first), np.diff(weights.starts[first:]))
    order = np.argsort(weights.indices[span], kind="stable")
    sizes = np.bincount(weights.indices[span], minlength=columns)
    return Sparse(np.concatenate([[0], np.cumsum(sizes)]), rows[order], weights.values[span][order])


def _final(distances: Array, weights: Sparse, by_column: Sparse, query: int) -> Array:
    """0.7 x Jaccard + 0.3 x distance of one query, (G,)."""
    own = slice(weights.starts[query], weights.starts[query + 1])
    spans = [slice(by_column.starts[c], by_column.starts[c + 1]) for c in weights.indices[own]]
    rows = np.concatenate([by_column.indices[span] for span in spans])
    smaller = np.concatenate(
        [np.minimum(by_column.values[span], w) for span, w in zip(spans, weights.values[own], strict=True)]
    )
    shared = np.bincount(rows, smaller, minlength=len(distances))
    return (1 - ORIGINAL_SHARE) * (1 - shared / (2 - shared)) + ORIGINAL_SHARE * distances
