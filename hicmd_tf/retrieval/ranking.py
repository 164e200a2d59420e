"""Ranks of the matches, many queries at a time and without sorting the gallery.

The rank of a match is one more than the number of gallery pictures before it, so all that is needed is to count, for
each match, the pictures that are nearer, and those that are as near and come earlier in the gallery.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.labels import known, same
from hicmd_tf.data.searches import SHARED_PLACE, Protocol

Array = np.ndarray[Any, Any]

CACHED = 2**19  # bytes of distances that are compared again and again while they are in the processor's cache
BUFFERED = 512  # elements
COMPARED = 24  # matches a query up to which counting by comparisons is cheaper than sorting


class Ranks(NamedTuple):
    """pictures: (Q, R) ranks of each query's matches among the pictures it may see, ascending from 1, then zeros.

    first: (Q,) rank of the first match as CMC counts it, among pictures or distinct identities; 0 without a match.
    """

    pictures: Array
    first: Array


class Ranker:
    """A protocol's view of a gallery: who is where in it, and what each query may see.

    ids: (Q,) and (G,) int64; negative ones are unknown, match nobody, and are different people to CMC. cams: likewise,
    for protocols that hide pictures.
    order: (G,) rows of the gallery in the order in which `ranks` wants their distances.
    """

    def __init__(
        self,
        query_ids: Array,
        gallery_ids: Array,
        query_cams: Array | None,
        gallery_cams: Array | None,
        rules: Protocol,
    ) -> None:
        self.rules = rules
        self.gallery = len(gallery_ids)
        strangers = np.where(known(gallery_ids), gallery_ids, -1 - np.arange(self.gallery))
        self.identities, of = np.unique(strangers, return_inverse=True)
        by_identity = np.argsort(of, kind="stable")  # rows of the gallery, identity after identity
        self.counts = np.bincount(of)
        self.starts = np.cumsum(self.counts) - self.counts
        self.pages: list[int] = []
        self.order, self.columns = np.arange(self.gallery), by_identity
        if not self.in_order:
            self.order = self._paged(of, by_identity)
            column = np.empty_like(self.order)
            column[self.order] = np.arange(self.gallery)
            self.columns = column[by_identity]
        place = np.minimum(np.searchsorted(self.identities, query_ids), len(self.identities) - 1)
        self.place = np.where(same(query_ids, self.identities[place]), place, -1)
        if query_cams is not None and gallery_cams is not None:
            self.query_cams, self.gallery_cams = query_cams, gallery_cams[self.order]

    @property
    def in_order(self) -> bool:
        """Whether `order` is the gallery's own."""
        return self.rules.cmc_over == "pictures"

    @property
    def places(self) -> int:
        """How many ranks CMC can have."""
        return self.gallery if self.in_order else len(self.identities)

    def _paged(self, of: Array, by_identity: Array) -> Array:
        """An order of the gallery: the first picture of every identity, then every second one, and so on.

        Identities with more pictures stand first, so that each page's pictures lie over those of the page before. Which
        identities have a picture nearer than something is then an "or" of whole pages.
        """
        within = np.arange(self.gallery) - np.repeat(self.starts, self.counts)
        position = np.empty_like(self.counts)
        position[np.argsort(-self.counts, kind="stable")] = np.arange(len(self.counts))
        self.pages = np.bincount(within).tolist()
        return by_identity[np.lexsort((position[of[by_identity]], within))]

    def ranks(self, start: int, distances: Array) -> Ranks:
        """Of the queries from `start` on; distances: (B, G), the gallery in `order`; what is hidden becomes inf."""
        columns, there = self._own(start, len(distances))
        self._hide(start, distances, columns, there)
        own = np.take_along_axis(distances, columns, axis=1)
        own[~there | np.isinf(own)] = np.nan  # sorted last, less than nothing, equal to nothing
        nearest_first = np.argsort(own, axis=1, kind="stable")  # equal ones stay in the gallery's order
        own = np.take_along_axis(own, nearest_first, axis=1)
        columns = np.take_along_axis(columns, nearest_first, axis=1)
        pictures = np.zeros(own.shape, np.int64)
        first = np.zeros(len(own), np.int64)
        step = max(1, CACHED // distances[0].nbytes)
        with _compared_in_place():
            for begin in range(0, len(distances), step):
                rows = slice(begin, begin + step)
                self._rank(distances[rows], own[rows], columns[rows], pictures[rows], first[rows])
        return Ranks(pictures, first)

    def _own(self, start: int, rows: int) -> tuple[Array, Array]:
        """Columns (B, R) of the pictures of each query's identity, in the gallery's order, and which of them exist."""
        place = self.place[start : start + rows]
        counts = np.where(place < 0, 0, self.counts[place])
        number = np.arange(max(1, counts.max()))
        there = number < counts[:, None]
        return self.columns[np.where(there, self.starts[place][:, None] + number, 0)], there

    def _hide(self, start: int, distances: Array, columns: Array, there: Array) -> None:
        if self.rules.hides == "nothing":
            return
        cameras = self.query_cams[start : start + len(distances)]
        if self.rules.hides == "shared place":
            rows, hidden = np.flatnonzero(cameras == SHARED_PLACE[0]), self.gallery_cams == SHARED_PLACE[1]
            distances[np.ix_(rows, np.flatnonzero(hidden))] = np.inf
        else:
            rows, numbers = np.nonzero(there & (self.gallery_cams[columns] == cameras[:, None]))
            distances[rows, columns[rows, numbers]] = np.inf

    def _rank(self, distances: Array, own: Array, columns: Array, pictures: Array, first: Array) -> None:
        """Fills ranks (b, R) and (b,) of queries whose distances (b, G) fit in the cache."""
        seen = ~np.isnan(own)
        matches = int(seen.sum(axis=1).max())
        if not matches:
            return
        count = _by_comparing if matches <= COMPARED else _by_sorting
        nearer, tied = count(distances, own[:, :matches])
        ranks = np.where(seen[:, :matches], 1 + nearer, 0)
        before = {row: self._tied_before(distances[row], columns[row, :matches]) for row in np.flatnonzero(tied)}
        for row, equals in before.items():
            ranks[row] += np.where(seen[row, :matches], equals.sum(axis=1), 0)
        pictures[:, :matches] = ranks
        first[:] = ranks[:, 0]
        if self.rules.cmc_over == "identities":
            mask = distances < own[:, :1]
            for row, equals in before.items():
                mask[row] |= equals[0]
            first[:] = np.where(seen[:, 0], 1 + self._identities(mask), 0)

    def _tied_before(self, distances: Array, columns: Array) -> Array:
        """For each match the pictures (R, G) that are exactly as near and come earlier in the gallery."""
        return (distances == distances[columns][:, None]) & (self.order < self.order[columns][:, None])

    def _identities(self, mask: Array) -> Array:
        """How many identities have a picture in a mask (b, G)."""
        found, column = _Mask(len(mask), self.pages[0]), 0
        for page in self.pages:
            found.values[:, :page] |= mask[:, column : column + page]
            column += page
        return found.count()


@contextlib.contextmanager
def _compared_in_place() -> Iterator[None]:
    """Rows that fit in NumPy's buffer are copied there before they are compared with a number each, which takes longer
    than the comparison: with a buffer shorter than a row they stay where they are."""
    before = np.setbufsize(BUFFERED)
    try:
        yield
    finally:
        np.setbufsize(before)


class _Mask:
    """A mask (rows, columns) and how many of each row are true; counted by bits, a quarter of count_nonzero's time."""

    def __init__(self, rows: int, columns: int) -> None:
        self._words = np.zeros((rows, -(-columns // 64), 64), bool)
        self.values = self._words.reshape(rows, -1)[:, :columns]

    def add(self, other: "_Mask") -> None:
        """True where either is; whole words are faster than rows of odd length."""
        self._words |= other._words

    def count(self) -> Array:
        """(rows,) int64."""
        bits = np.packbits(self._words).view(np.uint64).reshape(len(self._words), -1)
        return np.bitwise_count(bits).sum(axis=1, dtype=np.int64)


def _by_comparing(distances: Array, thresholds: Array) -> tuple[Array, Array]:
    """How many of a row's distances (b, G) are less than each of its thresholds (b, R), which are among them, or NaN.

    Also whether a row has a threshold that several of its distances, or several thresholds, are equal to.
    """
    mask, equal = _Mask(*distances.shape), _Mask(*distances.shape)
    nearer = np.empty(thresholds.shape, np.int64)
    for match in range(thresholds.shape[1]):
        threshold = thresholds[:, match : match + 1]
        np.less(distances, threshold, out=mask.values)
        nearer[:, match] = mask.count()
        np.equal(distances, threshold, out=mask.values)
        equal.add(mask)
    twice = (thresholds[:, 1:] == thresholds[:, :-1]).any(axis=1)
    return nearer, twice | (equal.count() > np.count_nonzero(thresholds == thresholds, axis=1))


def _by_sorting(distances: Array, thresholds: Array) -> tuple[Array, Array]:
    """As `_by_comparing`, for many thresholds a row."""
    rows = list(zip(np.sort(distances, axis=1), thresholds, strict=True))
    nearer, up_to = (np.array([np.searchsorted(x, t, side) for x, t in rows]) for side in ("left", "right"))
    return nearer, (up_to - nearer > 1).any(axis=1)  # nothing is equal to NaN: its place is after the last
