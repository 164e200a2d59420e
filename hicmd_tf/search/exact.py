"""Exact nearest neighbours by cosine, the same under ties on every run."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Found = list[tuple[Array, Array]]

SPARE = 32  # rows looked at beyond k, among which rounding may have mixed the order
DOUBT = 1e-5  # more than float32 products of rows of length 1 are off by


def nearest(rows: Array, queries: Array, k: int) -> Found:
    """For each of the queries (Q, D): similarities (k,), best first, and their rows; fewer where there are fewer rows.

    Of equally similar rows the lower comes first. faiss finds candidates in float32; their products are then computed
    in float64, each alone, so that equal rows get equal similarities. Rows are read where they are: no index is built.
    """
    import faiss

    k = min(k, len(rows))
    if k <= 0:
        return [(np.empty(0), np.empty(0, np.int64)) for _ in queries]
    values, found = faiss.knn(queries, rows, min(k + SPARE, len(rows)), faiss.METRIC_INNER_PRODUCT)
    return [
        ranked(rows, query, _candidates(rows, query, value, row, k), k)
        for query, value, row in zip(queries, values, found, strict=True)
    ]


def _candidates(rows: Array, query: Array, values: Array, found: Array, k: int) -> Array:
    """All rows that may be among the k best."""
    least = values[k - 1] - DOUBT
    if values[-1] < least or len(found) == len(rows):
        return found
    return np.flatnonzero(rows @ query >= least)


def ranked(rows: Array, query: Array, candidates: Array, k: int) -> tuple[Array, Array]:
    """The k best of some candidate rows: similarities and rows."""
    candidates = np.sort(candidates)
    exact = (rows[candidates].astype(np.float64) * query.astype(np.float64)).sum(axis=1)
    best = np.argsort(-exact, kind="stable")[:k]
    return exact[best], candidates[best]
