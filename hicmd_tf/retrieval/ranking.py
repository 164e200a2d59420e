"""Ranks of the matches, many queries at a time and without ordering the gallery.

The rank of a match is one more than the number of gallery pictures before it: those that are nearer, and those that
are as near and come earlier in the gallery.
"""

from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.labels import known, same
from hicmd_tf.data.searches import SHARED_PLACE, Protocol

Array = np.ndarray[Any, Any]


def hidden(
    rules: Protocol,
    query_ids: Array,
    query_cams: Array,
    gallery_ids: Array,
    gallery_cams: Array,
    own: Array | None = None,
) -> Array:
    """Which gallery pictures (G,) a query may not see; of queries (Q, 1), (Q, G). own: (G,) bool, those of the query's
    modality, of which it sees strangers alone; None: there are none."""
    if rules.hides == "shared place":
        found = (query_cams == SHARED_PLACE[0]) & (gallery_cams == SHARED_PLACE[1])
    elif rules.hides == "own camera":
        found = (query_cams == gallery_cams) & same(query_ids, gallery_ids)
    else:
        found = np.zeros(np.broadcast(query_ids, gallery_ids).shape, bool)
    return found if own is None else found | (own & same(query_ids, gallery_ids))


def people(gallery_ids: Array) -> Array:
    """The identities of a gallery (G,), where each unknown person is another one."""
    return np.where(known(gallery_ids), gallery_ids, -1 - np.arange(len(gallery_ids)))


class Ranks(NamedTuple):
    """pictures: (Q, R) ranks of each query's matches among the pictures it may see, ascending from 1, then zeros.

    first: (Q,) rank of the first match as CMC counts it, among pictures or distinct identities; 0 without a match.
    """

    pictures: Array
    first: Array


class Ranker:
    """A protocol's view of a gallery: who is where in it, and what each query may see.

    ids: (Q,) and (G,) int64; negative ones are unknown, match nobody, and are different people to CMC. cams: likewise.
    own: as `hidden` takes it.
    """

    def __init__(
        self,
        query_ids: Array,
        gallery_ids: Array,
        query_cams: Array,
        gallery_cams: Array,
        rules: Protocol,
        own: Array | None = None,
    ) -> None:
        self.rules, self.own_modality = rules, own
        self.queries, self.gallery = (query_ids, query_cams), (gallery_ids, gallery_cams)
        self.identities, of = np.unique(people(gallery_ids), return_inverse=True)
        self.by_identity = np.argsort(of, kind="stable")  # columns of the gallery, identity after identity
        self.counts = np.bincount(of)
        self.starts = np.cumsum(self.counts) - self.counts
        place = np.minimum(np.searchsorted(self.identities, query_ids), len(self.identities) - 1)
        self.place = np.where(same(query_ids, self.identities[place]), place, -1)

    @property
    def places(self) -> int:
        """How many ranks CMC can have."""
        return len(self.by_identity if self.rules.cmc_over == "pictures" else self.identities)

    def ranks(self, start: int, distances: Array) -> Ranks:
        """Of the queries from `start` on. distances: (B, G), of which those that are hidden become inf."""
        if self.rules.hides != "nothing" or self.own_modality is not None:
            ids, cameras = (x[start : start + len(distances), None] for x in self.queries)
            np.copyto(distances, np.inf, where=hidden(self.rules, ids, cameras, *self.gallery, self.own_modality))
        columns, there = self._own(start, len(distances))
        own = np.take_along_axis(distances, columns, axis=1)
        own[~there | np.isinf(own)] = np.nan  # sorted last, equal to nothing
        nearest_first = np.argsort(own, axis=1, kind="stable")  # equal ones stay in the gallery's order
        own, columns = (np.take_along_axis(x, nearest_first, axis=1) for x in (own, columns))
        pairs = [(np.sort(row), matches) for row, matches in zip(distances, own, strict=True)]
        before, up_to = (np.array([np.searchsorted(*pair, side) for pair in pairs]) for side in ("left", "right"))
        numbers = np.arange(distances.shape[1])
        for row in np.flatnonzero((up_to - before > 1).any(axis=1)):
            earlier = (distances[row] == own[row][:, None]) & (numbers < columns[row][:, None])
            before[row] += np.count_nonzero(earlier, axis=1)
        pictures = np.where(np.isnan(own), 0, 1 + before)
        if self.rules.cmc_over == "pictures":
            return Ranks(pictures, pictures[:, 0])
        nearest = own[:, :1]
        passed = (distances < nearest) | ((distances == nearest) & (numbers < columns[:, :1]))
        identities = np.logical_or.reduceat(passed[:, self.by_identity], self.starts, axis=1)
        return Ranks(pictures, np.where(pictures[:, 0] > 0, 1 + np.count_nonzero(identities, axis=1), 0))

    def _own(self, start: int, rows: int) -> tuple[Array, Array]:
        """Columns (B, R) of the pictures of each query's identity, in the gallery's order, and which of them exist."""
        place = self.place[start : start + rows]
        counts = np.where(place < 0, 0, self.counts[place])
        number = np.arange(max(1, counts.max()))
        there = number < counts[:, None]
        return self.by_identity[np.where(there, self.starts[place][:, None] + number, 0)], there
