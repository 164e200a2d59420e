"""Approximate search with an inverted file (IVF), whose recall is measured against exact search before it is used."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.arrays import read_arrays
from hicmd_tf.errors import UserError
from hicmd_tf.files import replacing
from hicmd_tf.search.exact import Found, nearest, ranked

Array = np.ndarray[Any, Any]

FEWEST = 1000  # rows, below which exact search takes no time anyway
TRAINING_ROWS = 64  # a list, at most; more gain nothing
SAMPLED = 256  # queries of the recall check
DEPTH = 10
SEED = 777


class Recall(NamedTuple):
    """Share of the exact first, and of the exact ten first, that the inverted file finds."""

    first: float
    ten: float


class Partition(NamedTuple):
    """centres: of the lists (L, D) float32. members: the list of each row (N,) int64. What is kept of an inverted file:
    the rows are the gallery's, and faiss' own files are not for untrusted hands."""

    centres: Array
    members: Array


class InvertedFile:
    """Settings of an inverted file, and the one that was used last.

    lists: how many; 0: four times the root of the rows. probes: how many of them a query looks into. least_recall: of
    the ten first, below which it is refused.
    """

    def __init__(self, lists: int = 0, probes: int = 16, least_recall: float = 0.95) -> None:
        self.lists, self.probes, self.least_recall = lists, probes, least_recall
        self.recall: Recall | None = None
        self._index: tuple[Any, Any] | None = None

    def search(
        self,
        file: Path,
        changes: int,
        rows: Array,
        queries: Array,
        k: int,
        asking: Callable[[], Array] | None = None,
    ) -> Found:
        """As `exact.nearest`, approximately. file: where it is kept; made anew when the gallery has changed. asking:
        rows (M, D) to measure its recall by; None, or where there are none: the rows themselves.

        Raises UserError when it finds less than least_recall of what exact search finds.
        """
        if len(rows) < FEWEST:
            self.recall = Recall(1.0, 1.0)
            return nearest(rows, queries, k)
        index = self._ready(file, changes, rows, asking)
        index.nprobe = min(self.probes, index.nlist)
        _, found = index.search(queries, min(2 * k, len(rows)))
        return [ranked(rows, query, row[row >= 0], k) for query, row in zip(queries, found, strict=True)]

    def _ready(self, file: Path, changes: int, rows: Array, asking: Callable[[], Array] | None) -> Any:
        key = (changes, len(rows), self._lists(len(rows)), self.probes)
        if self._index is not None and self._index[0] == (file, *key):
            return self._index[1]
        stored = read_arrays(file, "an inverted file (deleted, it is made again)") if file.is_file() else {}
        if np.array_equal(stored.get("key", ()), key):
            index, self.recall = _stored_index(file, stored, rows)
        else:
            partition = self.partition(rows)
            index = filled(partition, rows)
            self.recall = recall(index, rows, self.probes, asking() if asking else None)
            self._keep(file, key=np.array(key), recall=np.array(self.recall), **partition._asdict())
        if self.recall.ten < self.least_recall:
            raise UserError(
                f"the inverted file finds {100 * self.recall.ten:.1f} % of the ten nearest with {self.probes} probes, "
                f"expected {100 * self.least_recall:g} %: give more --probes, or search exactly"
            )
        self._index = ((file, *key), index)
        return index

    def _keep(self, file: Path, **arrays: Array) -> None:
        """Writes what is kept; where the gallery can only be read, it is made again next time."""
        try:
            with replacing(file) as target:
                np.savez(target, **arrays)  # type: ignore[arg-type]
        except UserError as error:
            warnings.warn(f"the inverted file is made again for the next search: {error}", stacklevel=2)

    def _lists(self, rows: int) -> int:
        return self.lists or int(4 * math.sqrt(rows))

    def partition(self, rows: Array) -> Partition:
        """Which lists rows (N, D) fall into, by k-means."""
        import faiss

        lists = min(self._lists(len(rows)), len(rows) // 40 or 1)
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(rows.shape[1]), rows.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed = SEED
        random = np.random.default_rng(SEED)
        count = min(len(rows), TRAINING_ROWS * lists)
        index.train(rows[np.sort(random.choice(len(rows), count, replace=False))])
        members = index.quantizer.search(rows, 1)[1][:, 0]
        return Partition(index.quantizer.reconstruct_n(0, lists), members)


def filled(partition: Partition, rows: Array) -> Any:
    """faiss' index of rows (N, D)."""
    import faiss

    lists, length = partition.centres.shape
    quantiser = faiss.IndexFlatIP(length)
    quantiser.add(np.ascontiguousarray(partition.centres, np.float32))
    index = faiss.IndexIVFFlat(quantiser, length, lists, faiss.METRIC_INNER_PRODUCT)
    index.is_trained = True
    rows, members = np.ascontiguousarray(rows, np.float32), np.ascontiguousarray(partition.members, np.int64)
    index.add_core(len(rows), faiss.swig_ptr(rows), None, faiss.swig_ptr(members))
    return index


def _stored_index(file: Path, stored: dict[str, Array], rows: Array) -> tuple[Any, Recall]:
    """What was kept, filled. Raises UserError where it can't belong to the rows: faiss itself would look at nothing."""
    centres, members, kept = (stored.get(name, np.empty(0)) for name in ("centres", "members", "recall"))
    fits = centres.ndim == 2 and centres.shape[1] == rows.shape[1] and centres.dtype == np.float32 and len(centres) > 0
    fits &= members.shape == (len(rows),) and members.dtype == np.int64 and kept.shape == (2,)
    if not fits or not np.isfinite(centres).all() or not 0 <= members.min() <= members.max() < len(centres):
        raise UserError(f"{file} is damaged: delete it to have it made again")
    return filled(Partition(centres, members), rows), Recall(*kept.astype(float).tolist())


def recall(index: Any, rows: Array, probes: int, asking: Array | None = None) -> Recall:
    """Of an index of rows (N, D), asked for some of the rows `asking` (M, D), or else of its own, each of which is then
    beside its own picture."""
    import faiss

    own = asking is None or not len(asking)
    source = rows if asking is None or own else asking
    queries = source[np.sort(np.random.default_rng(SEED).choice(len(source), min(SAMPLED, len(source)), replace=False))]
    depth = min(DEPTH + own, len(rows))
    _, expected = faiss.knn(queries, rows, depth, faiss.METRIC_INNER_PRODUCT)
    index.nprobe = min(probes, index.nlist)
    _, found = index.search(queries, depth)
    hits = [set(a[own:]) & set(b) for a, b in zip(expected.tolist(), found.tolist(), strict=True)]
    first = [a[own] in b for a, b in zip(expected.tolist(), found.tolist(), strict=True)]
    return Recall(float(np.mean(first)), float(np.mean([len(h) for h in hits]) / (depth - own)))
