"""Ranked lists of single queries, for people to look at."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.labels import same
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import Search, protocol
from hicmd_tf.retrieval.ranking import hidden

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


def ranked_lists(descriptors: Array, samples: Samples, search: Search) -> list[RankedList]:
    """The whole list of every query of a search, in its first gallery.

    descriptors: (N, E) of length 1, one for each sample. Equal distances keep the gallery's order.
    """
    gallery, rules = search.galleries[0], protocol(search.protocol)
    ids, cameras = samples.identities, samples.cameras
    found = []
    for query in search.queries.tolist():
        seen = gallery[~hidden(rules, ids[query], cameras[query], ids[gallery], cameras[gallery])]
        distances = 1 - descriptors[seen] @ descriptors[query]
        order = np.argsort(distances, kind="stable")
        right = same(ids[query], ids[seen[order]])
        ranks = np.flatnonzero(right) + 1
        first, precision = (
            (int(ranks[0]), float(np.mean(np.arange(1, len(ranks) + 1) / ranks))) if len(ranks) else (0, 0.0)
        )
        found.append(RankedList(query, seen[order], distances[order], right, first, precision))
    return found


def hardest(lists: Sequence[RankedList], count: int) -> list[RankedList]:
    """The lists whose first right picture comes latest, of different queries, the worst first; among equals the lower
    AP. Queries without a right picture in the gallery are left out."""
    found = [found for found in lists if found.first]
    return sorted(found, key=lambda one: (-one.first, one.precision, one.query))[:count]
