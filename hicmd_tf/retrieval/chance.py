"""The expected figures of a random ranking, exactly, under every protocol's rules."""

from collections import Counter
from functools import cache, lru_cache
from typing import Any

import numpy as np
from scipy.stats import binom

from hicmd_tf.data.labels import known
from hicmd_tf.data.searches import NOBODY, ProtocolName, protocol
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.metrics import NO_MATCH, RANKS
from hicmd_tf.retrieval.ranking import hidden, people

Array = np.ndarray[Any, Any]
Others = tuple[tuple[int, int], ...]
"""Of the wrong identities that a query may see: (pictures of one, how many have so many)."""

NODES = 256  # of the quadrature, which is exact for up to twice as many pictures, and to 1e-9 beyond


def chance(
    query_ids: Array,
    gallery_ids: Array,
    query_cams: Array | None = None,
    gallery_cams: Array | None = None,
    name: ProtocolName = "regdb",
    own: Array | None = None,
) -> dict[str, float]:
    """The expected `summary` of a random ranking, over the queries that have a match.

    ids, cams, the protocol's name and own as `metrics.score` takes them. Of R matches among the n pictures that a query
    may see, a random ranking puts
      none among the first k with probability  C(n - R, k) / C(n, k) = prod_{i<k} (n - R - i) / (n - i);
      rank p is a match with probability R / n, and then (R - 1)(p - 1) / (n - 1) of those before it are, on average, so
      E[AP] = 1/n sum_p (1 + (R - 1)(p - 1) / (n - 1)) / p;
      the last match at p with probability C(p - 1, R - 1) / C(n, R), which gives E[INP].
    Where CMC counts identities: give every picture a random moment from 0 to 1. No match comes before t with
    probability (1 - t)^R, and one of c pictures of a wrong identity does with probability 1 - (1 - t)^c, whatever the
    others do; so the wrong identities before a first match at t are a sum of binomials, over which is integrated.

    Raises UserError when no query has a match.
    """
    rules = protocol(name)
    query_ids, gallery_ids = np.asarray(query_ids), np.asarray(gallery_ids)
    asking = known(query_ids)
    if not asking.any():
        raise UserError(NOBODY)
    cameras = np.zeros_like(gallery_ids) if gallery_cams is None else np.asarray(gallery_cams)
    asked_by = np.zeros_like(query_ids) if query_cams is None or rules.hides == "nothing" else np.asarray(query_cams)
    identities, of = np.unique(people(gallery_ids), return_inverse=True)
    kinds: Counter[tuple[int, int, Others]] = Counter()
    pairs, queries = np.unique(np.stack([query_ids, asked_by])[:, asking], axis=1, return_counts=True)
    for (identity, camera), count in zip(pairs.T, queries.tolist(), strict=True):
        seen = ~hidden(rules, identity, camera, gallery_ids, cameras, own)
        pictures = np.bincount(of[seen], minlength=len(identities))
        matches = int(pictures[identities == identity].sum())
        if matches:
            sizes, number = np.unique(pictures[(identities != identity) & (pictures > 0)], return_counts=True)
            others = tuple(zip(sizes.tolist(), number.tolist(), strict=True)) if rules.cmc_over == "identities" else ()
            kinds[matches, int(pictures.sum()) - matches, others] += count
    if not kinds:
        raise UserError(NO_MATCH)
    rows = [_chance_of(*kind) for kind in kinds]
    return {key: float(np.average([row[key] for row in rows], weights=[*kinds.values()])) for key in rows[0]}


@lru_cache(maxsize=4096)  # galleries of several trials, and evaluations while training, are alike
def _chance_of(matches: int, wrong: int, others: Others) -> dict[str, float]:
    """The figures of one query. others: None is counted where CMC counts pictures."""
    gallery = matches + wrong
    ranks = np.arange(1, gallery + 1)
    before = np.arange(max(RANKS))
    missed = np.cumprod(np.clip((wrong - before) / np.maximum(gallery - before, 1), 0, 1))
    found = _identities_before(matches, others) if others else 1 - missed
    share = (matches - 1) / max(gallery - 1, 1)
    precision = np.mean((1 + share * (ranks - 1)) / ranks)
    return {
        **{f"rank{k}": float(found[k - 1]) for k in RANKS},
        "mAP": float(precision),
        "mINP": float(matches * np.sum(_last_at(matches, gallery) / ranks)),
    }


def _identities_before(matches: int, others: Others) -> Array:
    """(20,) probabilities that fewer than 1 .. 20 wrong identities come before the first of the matches."""
    places = np.arange(max(RANKS))
    later, weights = _quadrature()  # of 1 - t
    before = np.zeros((len(later), len(places)))  # the distribution of identities before t
    before[:, 0] = 1
    for pictures, number in others:
        some = binom.pmf(places, number, 1 - later[:, None] ** pictures)
        before = sum(
            np.pad(before[:, : len(places) - k], ((0, 0), (k, 0))) * some[:, k : k + 1]
            for k in range(min(number, len(places) - 1) + 1)
        )
    first = weights * matches * later ** (matches - 1)  # the density of the first match
    return np.minimum(first @ np.cumsum(before, axis=1), 1.0)


@cache
def _quadrature() -> tuple[Array, Array]:
    """Gauss and Legendre's nodes and weights from 0 to 1."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return (nodes + 1) / 2, weights / 2


def _last_at(matches: int, gallery: int) -> Array:
    """Probabilities (n,) that the last of R matches in a random ranking stands at rank 1 .. n."""
    ranks = np.arange(1, gallery + 1)
    # C(p - 1, R - 1) / C(n, R), from rank n downwards: each ratio is (p - R) / (p - 1).
    ratios = np.clip((ranks[1:] - matches) / np.maximum(ranks[1:] - 1, 1), 0, None)
    downwards = np.concatenate([[1.0], np.cumprod(ratios[::-1])])
    return matches / gallery * downwards[::-1]
