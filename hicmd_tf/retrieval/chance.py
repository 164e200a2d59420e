"""What a random ranking is expected to give, exactly (imports no TensorFlow)."""

from typing import Any

import numpy as np

from hicmd_tf.data.labels import known, same
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.metrics import NO_MATCH, NOBODY, RANKS

Array = np.ndarray[Any, Any]


def chance(query_ids: Array, gallery_ids: Array) -> dict[str, float]:
    """What `summary` of a random ranking is expected to give when nothing is hidden and CMC counts pictures.

    With R matches among n pictures, a random ranking puts
      none of them among the first k with probability  C(n - R, k) / C(n, k) = prod_{i<k} (n - R - i) / (n - i);
      rank p is a match with probability R / n, and then (R - 1)(p - 1) / (n - 1) of those before it are, on average, so
      E[AP] = 1/n sum_p (1 + (R - 1)(p - 1) / (n - 1)) / p;
      the last match at p with probability C(p - 1, R - 1) / C(n, R), which gives E[INP].
    """
    query_ids, gallery_ids = np.asarray(query_ids), np.asarray(gallery_ids)
    if not known(query_ids).any():
        raise UserError(NOBODY)
    counts = np.array([np.count_nonzero(same(identity, gallery_ids)) for identity in query_ids])
    if not counts.any():
        raise UserError(NO_MATCH)
    matches, queries = np.unique(counts[counts > 0], return_counts=True)
    rows = [_chance_of(int(r), len(gallery_ids)) for r in matches]
    return {key: float(np.average([row[key] for row in rows], weights=queries)) for key in rows[0]}


def _chance_of(matches: int, gallery: int) -> dict[str, float]:
    ranks = np.arange(1, gallery + 1)
    before = np.arange(max(RANKS))
    missed = np.cumprod(np.clip((gallery - matches - before) / np.maximum(gallery - before, 1), 0, 1))
    share = (matches - 1) / max(gallery - 1, 1)
    precision = np.mean((1 + share * (ranks - 1)) / ranks)
    return {
        **{f"rank{k}": 1 - missed[k - 1] for k in RANKS},
        "mAP": precision,
        "mINP": matches * np.sum(_last_at(matches, gallery) / ranks),
    }


def _last_at(matches: int, gallery: int) -> Array:
    """Probabilities (n,) that the last of R matches in a random ranking stands at rank 1 .. n."""
    ranks = np.arange(1, gallery + 1)
    # C(p - 1, R - 1) / C(n, R), from rank n downwards: each ratio is (p - R) / (p - 1).
    ratios = np.clip((ranks[1:] - matches) / np.maximum(ranks[1:] - 1, 1), 0, None)
    downwards = np.concatenate([[1.0], np.cumprod(ratios[::-1])])
    return matches / gallery * downwards[::-1]
