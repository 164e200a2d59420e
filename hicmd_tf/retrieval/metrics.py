"""CMC, mAP and mINP, per query first.

The gallery is ranked by ascending distance; gallery pictures at equal distance keep the gallery's order, as under a
stable sort. With p_1 < .. < p_R the ranks of a query's R matches among the pictures that it may see:

    CMC at k: whether p_1 <= k        AP = 1/R sum_i i / p_i        INP = R / p_R

and each figure is the mean over the queries that have a match. Under the protocols of SYSU-MM01 and LLCM CMC counts
identities: p_1 is one more than the distinct wrong identities before the first match.

>>> scores = score_distances(np.array([[0.1, 0.3, 0.2]]), np.array([7]), np.array([7, 7, 5]))
>>> scores.average_precision  # matches at ranks 1 and 3
array([0.83333333])
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.labels import known
from hicmd_tf.data.searches import NOBODY, ProtocolName
from hicmd_tf.data.searches import protocol as rules_of
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.distances import Blocks, block_rows, checked, cosine_distances
from hicmd_tf.retrieval.ranking import Ranker
from hicmd_tf.retrieval.reranking import reranked_distances

Array = np.ndarray[Any, Any]
Labels = Array | None

RANKS = (1, 5, 10, 20)
NO_MATCH = "no query has a picture of its identity in the gallery: check that both hold the same identities"


class Scores(NamedTuple):
    """cmc: (K,) fractions, cmc[k - 1] is CMC at k; K is the number of gallery pictures, or of identities where CMC
    counts those, at least 20 (the last value goes on).

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


def score(
    query_descriptors: Array,
    gallery_descriptors: Array,
    query_ids: Array,
    gallery_ids: Array,
    query_cams: Labels = None,
    gallery_cams: Labels = None,
    protocol: ProtocolName = "regdb",
    rerank: bool = False,
    own: Labels = None,
) -> Scores:
    """Every query against the gallery by cosine, under a protocol's rules, in bounded memory.

    descriptors: (Q, D) and (G, D), any length; float64 is compared as such. ids: (Q,) and (G,) integers; negative ones
    are unknown: nobody's match, in the gallery distractors, each a person of its own.
    cams: likewise, the data set's camera numbers; regdb needs none.
    protocol: "regdb", everything is seen, CMC over pictures; "sysu", pictures by camera 2 are hidden from queries by
    camera 3, CMC over identities; "llcm" and "market1501", pictures of the query's identity by the query's camera are
    hidden, CMC over identities and over pictures.
    rerank: by k-reciprocal neighbours, see `reranking`.
    own: (G,) bool, gallery pictures of the queries' own modality, of which a query sees strangers alone.
    Raises UserError on shapes and types that don't fit, numbers that are not finite, rows of zeros, another protocol,
    and when no query has a match.
    """
    queries, gallery = checked(query_descriptors, "query"), checked(gallery_descriptors, "gallery")
    if queries.rows.shape[1] != gallery.rows.shape[1]:
        raise UserError(
            f"query descriptors have length {queries.rows.shape[1]}, gallery descriptors {gallery.rows.shape[1]}: "
            "expected equal"
        )
    shape = len(queries.rows), len(gallery.rows)
    ranker = _ranker(shape, (query_ids, query_cams), (gallery_ids, gallery_cams), protocol, own)
    return _score_blocks(reranked_distances(queries, gallery) if rerank else cosine_distances(queries, gallery), ranker)


def score_distances(
    distances: Array,
    query_ids: Array,
    gallery_ids: Array,
    query_cams: Labels = None,
    gallery_cams: Labels = None,
    protocol: ProtocolName = "regdb",
    own: Labels = None,
) -> Scores:
    """As `score`, from distances (Q, G), small for alike."""
    distances = np.asarray(distances)
    if distances.ndim != 2 or not distances.size or not np.isfinite(distances).all():
        raise UserError(f"distances must be a finite array (queries, gallery), received shape {distances.shape}")
    ranker = _ranker(distances.shape, (query_ids, query_cams), (gallery_ids, gallery_cams), protocol, own)
    return _score_blocks(_copied(distances), ranker)


def _copied(distances: Array) -> Iterator[tuple[int, Array]]:
    rows = block_rows(distances.shape[1], 8)
    for start in range(0, len(distances), rows):
        block = distances[start : start + rows]
        yield start, block.astype(np.result_type(block, np.float32))


def _ranker(
    shape: tuple[int, ...],
    queries: tuple[Array, Labels],
    gallery: tuple[Array, Labels],
    name: ProtocolName,
    own: Labels,
) -> Ranker:
    rules = rules_of(name)
    found = []
    for (ids, cams), role, count in zip((queries, gallery), ("query", "gallery"), shape, strict=True):
        if rules.hides == "nothing":
            cams = np.zeros(count, np.int64)
        elif cams is None:
            raise UserError(f"protocol {name} hides pictures by camera: {role}_cams is needed, one for each descriptor")
        found.append((_labels(ids, f"{role} ids", count), _labels(cams, f"{role} cams", count)))
    (query_ids, query_cams), (gallery_ids, gallery_cams) = found
    if not known(query_ids).any():
        raise UserError(NOBODY)
    if own is not None:
        own = np.asarray(own)
        if own.shape != shape[1:] or own.dtype != bool:
            raise UserError(
                f"own is {own.dtype} {own.shape}, expected bool {shape[1:]}: one for each gallery descriptor"
            )
    return Ranker(query_ids, gallery_ids, query_cams, gallery_cams, rules, own)


def _labels(values: Array, name: str, expected: int) -> Array:
    """One int64 for each descriptor; anything else is refused, for a float loses large numbers' last digits."""
    values = np.asarray(values)
    if values.shape != (expected,):
        raise UserError(f"{name} have shape {values.shape}, expected ({expected},): one for each descriptor")
    if values.dtype.kind not in "iu" or (values.dtype == np.uint64 and values.max() > np.iinfo(np.int64).max):
        raise UserError(f"{name} are of type {values.dtype}, expected integers below 2**63")
    return values.astype(np.int64, copy=False)


def _score_blocks(blocks: Blocks, ranker: Ranker) -> Scores:
    parts = [ranker.ranks(start, block) for start, block in blocks]
    first = np.concatenate([part.first for part in parts])
    valid = first > 0
    if not valid.any():
        raise UserError(NO_MATCH if ranker.rules.hides == "nothing" else f"{NO_MATCH}, by cameras that a query may see")
    precision, penalty = (np.concatenate(x) for x in zip(*(_per_query(part.pictures) for part in parts), strict=True))
    length = max(ranker.places, *RANKS)
    cmc = np.cumsum(np.bincount(first[valid] - 1, minlength=length)) / valid.sum()
    means = float(precision[valid].mean()), float(penalty[valid].mean())
    return Scores(cmc, *means, first[valid], precision[valid], penalty[valid], valid)


def _per_query(ranks: Array) -> tuple[Array, Array]:
    """AP and INP (B,) from ranks (B, R) that end in zeros; 0 without a match."""
    there = ranks > 0
    counts = there.sum(axis=1)
    precisions = np.where(there, np.arange(1, ranks.shape[1] + 1) / np.maximum(ranks, 1), 0)
    return precisions.sum(axis=1) / np.maximum(counts, 1), counts / np.maximum(ranks.max(axis=1), 1)


def summary(scores: Scores) -> dict[str, float]:
    """The figures of a table, as fractions: rank1, rank5, rank10, rank20, mAP, mINP."""
    return {**{f"rank{k}": float(scores.cmc[k - 1]) for k in RANKS}, "mAP": scores.mAP, "mINP": scores.mINP}
