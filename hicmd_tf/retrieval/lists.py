"""Ranked lists of single queries, for people to look at."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.labels import same
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import SHARED_PLACE, Protocol, Search, protocol

Array = np.ndarray[Any, Any]


class RankedList(NamedTuple):
    """query: row of the samples. gallery: rows (G,) that it may see, nearest first. distances: cosine distances (G,), 0
    to 2. right: (G,) bool. first: rank of the first right one, 0 where there is none. precision: AP, likewise 0."""

    query: int
    gallery: Array
    distances: Array
    right: Array
    first: int
    precision: float


def ranked_lists(
    descriptors: Array, samples: Samples, search: Search, queries: Sequence[int] | Array | None = None
) -> list[RankedList]:
    """The whole list of each query, by default of every query of the search, in its first gallery.

    descriptors: (N, E) of length 1, one for each sample. Equal distances keep the gallery's order.
    """
    gallery, rules = search.galleries[0], protocol(search.protocol)
    queries = search.queries if queries is None else queries
    return [_ranked(descriptors, samples, gallery, rules, int(query)) for query in queries]


def _ranked(descriptors: Array, samples: Samples, gallery: Array, rules: Protocol, query: int) -> RankedList:
    seen = gallery[~hidden(samples, gallery, rules, query)]
    distances = 1 - descriptors[seen] @ descriptors[query]
    order = np.argsort(distances, kind="stable")
    right = same(samples.identities[query], samples.identities[seen[order]])
    ranks = np.flatnonzero(right) + 1
    precision = float(np.mean(np.arange(1, len(ranks) + 1) / ranks)) if len(ranks) else 0.0
    return RankedList(query, seen[order], distances[order], right, int(ranks[0]) if len(ranks) else 0, precision)


def hidden(samples: Samples, gallery: Array, rules: Protocol, query: int) -> Array:
    """Which rows of a gallery (G,) a query may not see."""
    cameras = samples.cameras[gallery]
    if rules.hides == "shared place":
        return (samples.cameras[query] == SHARED_PLACE[0]) & (cameras == SHARED_PLACE[1])
    if rules.hides == "own camera":
        own = same(samples.identities[query], samples.identities[gallery])
        return own & (cameras == samples.cameras[query])
    return np.zeros(len(gallery), bool)


def hardest(lists: Sequence[RankedList], count: int) -> list[RankedList]:
    """The lists whose first right picture comes latest, of different queries, the worst first; among equals the lower
    AP. Queries without a right picture in the gallery are left out."""
    found = [found for found in lists if found.first]
    return sorted(found, key=lambda one: (-one.first, one.precision, one.query))[:count]
