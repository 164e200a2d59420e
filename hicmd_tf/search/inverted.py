"""Approximate search with an inverted file (IVF), whose recall is measured against exact search before it is used."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.errors import UserError
from hicmd_tf.files import read_json, replacing, write_text
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


class InvertedFile:
    """Settings of an inverted file, and the one that was used last.

    lists: how many; 0: four times the root of the rows. probes: how many of them a query looks into. least_recall: of
    the ten first, below which it is refused.
    """

    def __init__(self, lists: int = 0, probes: int = 16, least_recall: float = 0.95) -> None:
        self.lists, self.probes, self.least_recall = lists, probes, least_recall
        self.recall: Recall | None = None
        self._index: tuple[Any, Any] | None = None

    def search(self, file: Path, changes: int, rows: Array, queries: Array, k: int) -> Found:
        """As `exact.nearest`, approximately. file: where it is kept; made anew when the gallery has changed.

        Raises UserError when it finds less than least_recall of what exact search finds.
        """
        if len(rows) < FEWEST:
            self.recall = Recall(1.0, 1.0)
            return nearest(rows, queries, k)
        index = self._ready(file, changes, rows)
        index.nprobe = min(self.probes, index.nlist)
        _, found = index.search(queries, min(2 * k, len(rows)))
        return [ranked(rows, query, row[row >= 0], k) for query, row in zip(queries, found, strict=True)]

    def _ready(self, file: Path, changes: int, rows: Array) -> Any:
        import faiss

        key = {"changes": changes, "rows": len(rows), "lists": self._lists(len(rows)), "probes": self.probes}
        if self._index is not None and self._index[0] == key:
            return self._index[1]
        told = file.with_suffix(".json")
        stored = read_json(told) if told.is_file() and file.is_file() else {}
        if stored.get("key") == key:
            try:
                index: Any = faiss.deserialize_index(np.frombuffer(file.read_bytes(), np.uint8))
            except (RuntimeError, OSError) as error:
                raise UserError(f"{file} is damaged ({str(error)[:100]}): delete it to have it made again") from error
            self.recall = Recall(*stored["recall"])
        else:
            index = self.make(rows)
            self.recall = recall(index, rows, self.probes)
            with replacing(file) as target:
                target.write(faiss.serialize_index(index).tobytes())
            write_text(told, json.dumps({"key": key, "recall": self.recall}))
        if self.recall.ten < self.least_recall:
            raise UserError(
                f"the inverted file finds {100 * self.recall.ten:.1f} % of the ten nearest with {self.probes} probes, "
                f"expected {100 * self.least_recall:g} %: give more --probes, or search exactly"
            )
        self._index = (key, index)
        return index

    def _lists(self, rows: int) -> int:
        return self.lists or int(4 * math.sqrt(rows))

    def make(self, rows: Array) -> Any:
        """faiss' trained and filled index of rows (N, D)."""
        import faiss

        lists = min(self._lists(len(rows)), len(rows) // 40 or 1)
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(rows.shape[1]), rows.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed = SEED
        random = np.random.default_rng(SEED)
        count = min(len(rows), TRAINING_ROWS * lists)
        index.train(rows[np.sort(random.choice(len(rows), count, replace=False))])
        index.add(rows)
        return index


def recall(index: Any, rows: Array, probes: int) -> Recall:
    """Of an index of rows (N, D), asked for some of its own rows, each beside its own picture."""
    import faiss

    queries = rows[np.sort(np.random.default_rng(SEED).choice(len(rows), min(SAMPLED, len(rows)), replace=False))]
    depth = min(DEPTH + 1, len(rows))
    _, expected = faiss.knn(queries, rows, depth, faiss.METRIC_INNER_PRODUCT)
    index.nprobe = min(probes, index.nlist)
    _, found = index.search(queries, depth)
    hits = [set(a[1:]) & set(b) for a, b in zip(expected.tolist(), found.tolist(), strict=True)]
    first = [a[1] in b for a, b in zip(expected.tolist(), found.tolist(), strict=True)]
    return Recall(float(np.mean(first)), float(np.mean([len(h) for h in hits]) / (depth - 1)))
