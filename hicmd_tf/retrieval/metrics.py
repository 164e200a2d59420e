"""CMC, mAP and mINP, per query first (imports no TensorFlow).

The gallery is ranked by ascending distance; gallery pictures at equal distance keep the gallery's order, as under a
stable sort. With p_1 < .. < p_R the ranks of a query's R matches:

    CMC at k: whether p_1 <= k        AP = 1/R sum_i i / p_i        INP = R / p_R

and each figure is the mean over the queries that have a match.

>>> scores = score_distances(np.array([[0.1, 0.3, 0.2]]), np.array([7]), np.array([7, 7, 5]))
>>> scores.average_precision  # matches at ranks 1 and 3
array([0.83333333])
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.distances import check_descriptors, cosine_distances

Array = np.ndarray[Any, Any]

RANKS = (1, 5, 10, 20)


class Scores(NamedTuple):
    """cmc: (K,) fractions, cmc[k - 1] is CMC at k; K is the gallery's size, at least 20 (the last value goes on).

    mAP, mINP: fractions. first_rank, average_precision, inverse_negative_penalty: (V,), one for each valid query.
    valid: (Q,) bool, queries with a match; the others count nowhere.
    """

    cmc: Array
    mAP: float  # noqa: N815 (the field's name)
    mINP: float  # noqa: N815
    first_rank: Array
    average_precision: Array
    inverse_negative_penalty: Array
    valid: Array


def score(query_descriptors: Array, gallery_descriptors: Array, query_ids: Array, gallery_ids: Array) -> Scores:
    """Every query against the whole gallery by cosine, CMC over pictures (the RegDB protocol), in bounded memory.

    descriptors: (Q, D) and (G, D), any length. ids: (Q,) and (G,) integers.
    Raises UserError on shapes that don't fit, numbers that are not finite, and when no query has a match.
    """
    queries, gallery = np.asarray(query_descriptors), np.asarray(gallery_descriptors)
    check_descriptors(queries, "query")
    check_descriptors(gallery, "gallery")
    if queries.shape[1] != gallery.shape[1]:
        raise UserError(
            f"query descriptors have length {queries.shape[1]}, gallery descriptors {gallery.shape[1]}: expected equal"
        )
    return _score_blocks(
        cosine_distances(queries, gallery), *_checked_ids(query_ids, gallery_ids, len(queries), len(gallery))
    )


def score_distances(distances: Array, query_ids: Array, gallery_ids: Array) -> Scores:
    """As `score`, from distances (Q, G), small for alike."""
    distances = np.asarray(distances)
    if distances.ndim != 2 or not np.isfinite(distances).all():
        raise UserError(f"distances must be a finite array (queries, gallery), received shape {distances.shape}")
    return _score_blocks([(0, distances)], *_checked_ids(query_ids, gallery_ids, *distances.shape))


def _checked_ids(query_ids: Array, gallery_ids: Array, queries: int, gallery: int) -> tuple[Array, Array]:
    query_ids, gallery_ids = np.asarray(query_ids), np.asarray(gallery_ids)
    for name, ids, expected in (("query", query_ids, queries), ("gallery", gallery_ids, gallery)):
        if ids.shape != (expected,):
            raise UserError(f"{name} ids have shape {ids.shape}, expected ({expected},): one for each descriptor")
    return query_ids, gallery_ids


def _score_blocks(blocks: Iterable[tuple[int, Array]], query_ids: Array, gallery_ids: Array) -> Scores:
    valid = np.isin(query_ids, gallery_ids)
    if not valid.any():
        raise UserError(
            "no query has a picture of its identity in the gallery: check that both hold the same identities"
        )
    first, precision, penalty = [], [], []
    for start, distances in blocks:
        for row in range(len(distances)):
            if valid[start + row]:
                ranks = match_ranks(distances[row], gallery_ids == query_ids[start + row])
                first.append(ranks[0])
                precision.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
                penalty.append(len(ranks) / ranks[-1])
    return _collect(np.array(first), np.array(precision), np.array(penalty), valid, len(gallery_ids))


def match_ranks(distances: Array, matches: Array) -> Array:
    """Ranks (R,), ascending from 1, of the matches of one query: distances (G,), matches (G,) bool, at least one.

    The rank of a match is one more than the number of gallery pictures before it; only the matches need be ordered.
    """
    places = np.flatnonzero(matches)
    own = distances[places]
    order = np.argsort(own, kind="stable")
    nearer = np.searchsorted(np.sort(distances), own[order], side="left")
    return 1 + nearer + _earlier_equals(distances, places[order], own[order])


def _earlier_equals(distances: Array, places: Array, own: Array) -> Array:
    """For each match how many gallery pictures at exactly its distance stand before it."""
    return np.array(
        [np.count_nonzero(distances[:place] == distance) for place, distance in zip(places, own, strict=True)]
    )


def _collect(first: Array, precision: Array, penalty: Array, valid: Array, gallery: int) -> Scores:
    length = max(gallery, max(RANKS))
    cmc = np.cumsum(np.bincount(first - 1, minlength=length)) / len(first)
    return Scores(cmc, float(precision.mean()), float(penalty.mean()), first, precision, penalty, valid)


def summary(scores: Scores) -> dict[str, float]:
    """The figures of a table, as fractions: rank1, rank5, rank10, rank20, mAP, mINP."""
    return {**{f"rank{k}": float(scores.cmc[k - 1]) for k in RANKS}, "mAP": scores.mAP, "mINP": scores.mINP}


def chance(query_ids: Array, gallery_ids: Array) -> dict[str, float]:
    """What `summary` of a random ranking is expected to give, exactly.

    With R matches among n pictures, a random ranking puts
      none of them among the first k with probability  C(n - R, k) / C(n, k) = prod_{i<k} (n - R - i) / (n - i);
      rank p is a match with probability R / n, and then (R - 1)(p - 1) / (n - 1) of those before it are, on average, so
      E[AP] = 1/n sum_p (1 + (R - 1)(p - 1) / (n - 1)) / p;
      the last match at p with probability C(p - 1, R - 1) / C(n, R), which gives E[INP].
    """
    query_ids, gallery_ids = np.asarray(query_ids), np.asarray(gallery_ids)
    counts = np.array([np.count_nonzero(gallery_ids == identity) for identity in query_ids])
    if not counts.any():
        raise UserError(
            "no query has a picture of its identity in the gallery: check that both hold the same identities"
        )
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
