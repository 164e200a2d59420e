"""Nearest neighbours by cosine with faiss: exactly, the same under ties on every run, or with an inverted file (IVF)
whose recall is measured first."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.errors import UserError

Array = np.ndarray[Any, Any]
Found = list[tuple[Array, Array]]
"""For each query similarities (k,), best first, and rows (k,)."""

SPARE = 32  # rows looked at beyond k, among which rounding may have mixed the order
DOUBT = 1e-5  # more than float32 products of rows of length 1 are off by

FEWEST = 1000  # rows, below which exact search takes no time anyway
TRAINING_ROWS = 64  # per list, at most; more gain nothing
SAMPLED, DEPTH = 256, 10  # queries of the recall check, and how many each finds
SEED = 777
THREADS = 2  # that read


class Rows(NamedTuple):
    """Descriptors of length 1 that are read part by part, so that none is in memory twice.

    Args:
        length: D.
        sizes: rows of each part.
        parts: reads each, as float32 (n, D).
    """

    length: int
    sizes: Sequence[int]
    parts: Sequence[Callable[[], Array]]

    @property
    def total(self) -> int:
        """N."""
        return sum(self.sizes)

    def gathered(self) -> Array:
        """All of them (N, D) in memory."""
        found = np.empty((self.total, self.length), np.float32)
        with ThreadPoolExecutor(THREADS) as pool:
            places = np.split(found, np.cumsum(self.sizes)[:-1]) if self.sizes else []
            list(pool.map(lambda place, read: np.copyto(place, read()), places, self.parts))
        return found


def nearest(rows: Array, queries: Array, k: int) -> Found:
    """For each of the queries (Q, D) the k most similar of the rows (N, D), fewer where there are fewer.

    Of equally similar rows the lower comes first. faiss finds candidates in float32; their products are then computed
    in float64, each alone, so that equal rows get equal similarities. Rows are read where they are: no index is built.
    """
    import faiss

    k = min(k, len(rows))
    if k <= 0:
        return [(np.empty(0), np.empty(0, np.int64)) for _ in queries]
    values, found = faiss.knn(queries, rows, min(k + SPARE, len(rows)), faiss.METRIC_INNER_PRODUCT)
    candidates = (_candidates(rows, *one, k) for one in zip(queries, values, found, strict=True))
    return [_ranked(query, few, rows[few], k) for query, few in zip(queries, candidates, strict=True)]


def _candidates(rows: Array, query: Array, values: Array, found: Array, k: int) -> Array:
    """All rows that may be among the k best, ascending."""
    least = values[k - 1] - DOUBT
    if values[-1] < least or len(found) == len(rows):
        return np.sort(found)
    return np.flatnonzero(rows @ query >= least)


def _ranked(query: Array, candidates: Array, rows: Array, k: int) -> tuple[Array, Array]:
    """The k best of some candidates, whose rows are given."""
    exact = (rows.astype(np.float64) * query.astype(np.float64)).sum(axis=1)
    best = np.argsort(-exact, kind="stable")[:k]
    return exact[best], candidates[best]


class Recall(NamedTuple):
    """Share of the exact first, and of the exact ten first, that the inverted file finds."""

    first: float
    ten: float


class _Built(NamedTuple):
    """faiss' index of some rows, and what exact search finds in them, by which its recall is measured.

    Args:
        index: the inverted file.
        asked: (Q, D).
        exact: rows (Q, DEPTH).
        depth: how many the index is to find for each.
    """

    index: Any
    asked: Array
    exact: Array
    depth: int


class InvertedFile:
    """Approximate search, with the inverted file that was built last.

    Args:
        lists: how many; 0: four times the root of the rows.
        probes: how many lists a query looks into.
        least_recall: share of the ten first, below which it is refused.

    recall: as it was measured; None before the first search.
    """

    def __init__(self, lists: int = 0, probes: int = 16, least_recall: float = 0.95) -> None:
        self.lists, self.probes, self.least_recall = lists, probes, least_recall
        self.recall: Recall | None = None
        self._built: _Built | None = None

    def build(self, rows: Rows, asking: Rows) -> None:
        """Makes the inverted file of at least `FEWEST` rows, which are in memory once at any moment.

        asking: what recall is measured with; where there are none, the rows themselves.
        """
        import faiss

        self._built = self.recall = None  # not in memory beside the next one
        own = not asking.total  # each query then finds itself, which is left out
        asked = _sample((rows if own else asking).gathered(), SAMPLED)
        every = rows.gathered()
        lists = min(self.lists or int(4 * math.sqrt(rows.total)), rows.total // 40)
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(rows.length), rows.length, lists, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed = SEED
        index.train(_sample(every, TRAINING_ROWS * lists))
        members = index.quantizer.search(every, 1)[1][:, 0]
        exact = faiss.knn(asked, every, DEPTH + own, faiss.METRIC_INNER_PRODUCT)[1][:, own:]
        del every
        content: Any = index.invlists
        for number, size in enumerate(np.bincount(members, minlength=lists).tolist()):
            content.resize(number, size)  # a list that grew by doubling would take up to twice the memory
            content.resize(number, 0)
        for read in rows.parts:
            part = np.ascontiguousarray(read())
            its = np.ascontiguousarray(members[index.ntotal : index.ntotal + len(part)])
            index.add_core(len(part), faiss.swig_ptr(part), None, faiss.swig_ptr(its))
        index.make_direct_map()
        self._built = _Built(index, asked, exact, DEPTH + own)

    def search(self, queries: Array, k: int) -> Found:
        """As `nearest`, approximately, in what was built. Raises UserError when it finds less than least_recall of what
        exact search does."""
        index, asked, exact, depth = self._built  # type: ignore[misc]
        probes = min(self.probes, index.nlist)
        if self.recall is None or index.nprobe != probes:
            index.nprobe = probes
            hits = (exact[:, :, None] == index.search(asked, depth)[1][:, None, :]).any(axis=2)
            self.recall = Recall(float(hits[:, 0].mean()), float(hits.mean()))
        if self.recall.ten < self.least_recall:
            raise UserError(
                f"the inverted file finds {100 * self.recall.ten:.1f} % of the ten nearest with {self.probes} probes, "
                f"expected {100 * self.least_recall:g} %: give more --probes, or search exactly"
            )
        few = [np.sort(row[row >= 0]) for row in index.search(queries, min(2 * k, index.ntotal))[1]]
        return [_ranked(q, one, index.reconstruct_batch(one), k) for q, one in zip(queries, few, strict=True)]


def _sample(rows: Array, most: int) -> Array:
    """At most so many of the rows, in their order."""
    random = np.random.default_rng(SEED)
    return rows[np.sort(random.choice(len(rows), min(most, len(rows)), replace=False))]
