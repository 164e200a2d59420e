"""Re-ranking by k-reciprocal neighbours (Zhong et al., CVPR 2017), in blocks.

Queries and gallery together are N pictures with squared Euclidean distances 2 - 2 cos of their unit descriptors, each
row divided by its largest (0 where that is 0). R(i, k) are the k-reciprocal neighbours: those among the first k + 1 of
i, itself included, that have i among their own first k + 1. R(i, 20) grows by R(c, 10) for each of its members c of
which it shares more than two thirds. Over the grown set a picture's weights are exp(-distance), adding up to 1,
averaged over its first 6 neighbours; two pictures' Jaccard distance is 1 - m / (2 - m), m the sum of the smaller of
their weights. What ranks is 0.7 x Jaccard + 0.3 x distance.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from hicmd_tf.retrieval.distances import Blocks, Descriptors, block_rows, repeated

Array = np.ndarray[Any, Any]

NEIGHBOURS, AVERAGED, ORIGINAL_SHARE = 20, 6, 0.3
"""k1, k2 and lambda of the paper, which every table uses."""
PAIRS = 2**13
"""Pairs of descriptors that are multiplied at a time."""
ROUNDING = 16
"""Squared distances of at most so many epsilons are what rounding leaves of 0."""


def reranked_distances(queries: Descriptors, gallery: Descriptors) -> Blocks:
    """Blocks (Q_block, G) of final distances with the number of their first query."""
    dtype = np.result_type(queries.rows, gallery.rows)
    unit = np.concatenate([(x.rows / x.lengths[:, None]).astype(dtype) for x in (queries, gallery)])
    near, largest = _neighbours(unit, min(NEIGHBOURS, len(unit) - 1) + 1)
    weights = _averaged(_weights(unit, near, largest), near[:, :AVERAGED])
    first = len(queries.rows)
    of_queries, of_gallery = weights[:first], weights[first:].tocsc()
    copies, originals = repeated(gallery.rows)
    for start, block in _blocks(unit[:first], unit[first:]):
        block /= largest[start : start + len(block), None]
        block *= ORIGINAL_SHARE
        for row in range(len(block)):
            block[row] += (1 - ORIGINAL_SHARE) * _jaccard(of_queries[[start + row]], of_gallery)
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
    sets, halves = (
        [row[: size + 1][among] for row, among in zip(near, _reciprocal(near, size), strict=True)]
        for size in (k, min(NEIGHBOURS // 2, k))
    )
    member = np.zeros(len(near), bool)
    for own in sets:
        member[own] = True
        grown = [x for x in (halves[candidate] for candidate in own) if 3 * member[x].sum() > 2 * len(x)]
        member[own] = False
        yield np.unique(np.concatenate([own, *grown]))


def _weights(unit: Array, near: Array, largest: Array) -> csr_array:
    """(N, N), rows that add up to 1."""
    sets = list(_grown(near))
    sizes = np.array([len(x) for x in sets])
    rows, columns = np.repeat(np.arange(len(sets)), sizes), np.concatenate(sets)
    products = np.empty(len(rows), unit.dtype)
    for start in range(0, len(rows), PAIRS):
        pairs = slice(start, start + PAIRS)
        products[pairs] = np.einsum("nd,nd->n", unit[rows[pairs]], unit[columns[pairs]])
    values = np.exp(-(2 - 2 * products.astype(np.float64)) / largest[rows])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return csr_array((values / np.add.reduceat(values, starts[:-1])[rows], columns, starts), (len(sets), len(sets)))


def _averaged(weights: csr_array, near: Array) -> csr_array:
    """The mean of each row's nearest rows, itself included."""
    count, k = near.shape
    return (
        csr_array((np.full(near.size, 1 / k), near.ravel(), np.arange(0, near.size + 1, k)), (count, count)) @ weights
    )


def _jaccard(query: csr_array, gallery: Any) -> Array:
    """Distances (G,) of a query's weights (1, N) to the gallery's (G, N), by columns."""
    shared = gallery[:, query.indices]
    shared.data = np.minimum(shared.data, np.repeat(query.data, np.diff(shared.indptr)))
    total = np.asarray(shared.sum(axis=1)).ravel()
    return 1 - total / (2 - total)
