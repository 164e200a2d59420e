"""Pairs of a query's and a gallery's picture: of one person, or of two, who are strangers to each other.

A threshold t accepts a pair whose similarity, the cosine, is at least t. With N pairs of one person and M of strangers

    TAR(t) = accepted of the N / N        FRR(t) = 1 - TAR(t)        FAR(t) = accepted of the M / M

A pair that the protocol hides does not count, nor does one with an unknown person: nobody knows whether it is of one.
"""

from itertools import pairwise
from typing import Any

import numpy as np

from hicmd_tf.data.labels import known
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import Direction, Protocol, asking
from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED
from hicmd_tf.retrieval.distances import checked, cosine_distances, repeated
from hicmd_tf.retrieval.ranking import hidden

Array = np.ndarray[Any, Any]

EDGES = 400
"""Similarities, of each kind of pair, at which pairs are counted person by person."""
MOST = 2**28
"""Pairs that are kept, by 8 bytes each; of more an even choice of queries is taken."""


class Pairs:
    """Every picture of one modality with every picture of the other, those of known people.

    Similarities are kept once, as float32, and once more those of strangers in order: 4 bytes a pair each.

    queries, gallery: rows of the samples, person after person, (Q,) and (G,). similarities: (Q, G) float32.
    people: who is in them, ascending, (P,). same, strangers: similarities of the pairs of one person and of two,
    ascending, (N,) and (M,). paired: how many people are in pairs of one person. left_out: how many queries are too
    many for `MOST`.
    """

    def __init__(self, descriptors: Array, samples: Samples, direction: Direction, rules: Protocol) -> None:
        """descriptors: (N, E), one for each sample. Raises UserError where one is not finite or all zeros, and where a
        modality has no picture of a known person."""
        self.samples, self.rules = samples, rules
        self.queries = self._by_person(asking(samples, direction.query))
        self.gallery = self._by_person(
            np.flatnonzero((samples.infrared == (direction.gallery == INFRARED)) & known(samples.identities))
        )
        for rows, modality in ((self.queries, direction.query), (self.gallery, direction.gallery)):
            if not len(rows):
                raise UserError(
                    f"no {modality} picture is of a known person, so there are no pairs: say whom they show"
                )
        most = max(MOST // len(self.gallery), 1)
        self.left_out = max(len(self.queries) - most, 0)
        self.queries = self.queries[evenly(len(self.queries), most)]
        self.people = np.unique(samples.identities[np.concatenate([self.queries, self.gallery])])
        self.similarities = similarities(descriptors[self.queries], descriptors[self.gallery])
        self.paired = 0
        self.same, self.strangers = self._sorted()

    def _by_person(self, rows: Array) -> Array:
        return rows[np.argsort(self.samples.identities[rows], kind="stable")]

    def kinds(self, row: int, stop: int) -> tuple[Array, Array]:
        """Which pairs of the queries from `row` to before `stop` are of one person and of two: (B, G) bool each."""
        return kinds(self.samples, self.rules, self.queries[row:stop], self.gallery)

    def blocks(self) -> list[tuple[int, int]]:
        """First query, and the one after the last, of each person."""
        identities = self.samples.identities[self.queries]
        edges = [0, *(np.flatnonzero(np.diff(identities)) + 1).tolist(), len(identities)]
        return list(pairwise(edges))

    def _sorted(self) -> tuple[Array, Array]:
        same, strangers, filled = [], np.empty(self.similarities.size, np.float32), 0
        for row, stop in self.blocks():
            block = self.similarities[row:stop]
            own, others = self.kinds(row, stop)
            self.paired += bool(own.any())
            same.append(block[own])
            found = block[others]
            strangers[filled : filled + len(found)] = found
            filled += len(found)
        strangers = strangers[:filled]
        strangers.sort()
        return np.sort(np.concatenate(same)), strangers

    def edges(self) -> Array:
        """Similarities (B,), ascending, between which few pairs lie: even shares of each kind, and of strangers also
        ever smaller ones, where low false-accept rates are."""
        found = [values[_ranks(len(values), tail)] for values, tail in ((self.same, False), (self.strangers, True))]
        return np.unique(np.concatenate(found))

    def accepted(self, edges: Array) -> tuple[Array, Array]:
        """How many pairs of one person, and of strangers, in which each person is, have at least each similarity.

        edges: (B,), ascending. Returns two (B, P) int64; a pair of strangers is counted for both.
        """
        identities = self.samples.identities
        of_gallery = np.searchsorted(self.people, identities[self.gallery])
        count, people = len(edges) + 1, len(self.people)
        same, strangers = np.zeros((2, people, count), np.int64)
        for row, stop in self.blocks():
            person = np.searchsorted(self.people, identities[self.queries[row]])
            # Pairs with so many edges at or below them; where a pair does not count, in a bin after the last.
            places = np.searchsorted(edges, self.similarities[row:stop].ravel(), "right").reshape(stop - row, -1)
            own, others = self.kinds(row, stop)
            same[person] += np.bincount(places[own], minlength=count)
            cells = np.where(others, places, count) + of_gallery * (count + 1)
            found = np.bincount(cells.ravel(), minlength=people * (count + 1)).reshape(people, count + 1)[:, :count]
            strangers += found
            strangers[person] += found.sum(axis=0)
        return tuple(np.cumsum(of[:, :0:-1], axis=1)[:, ::-1].T for of in (same, strangers))  # type: ignore[return-value]

    def far(self, threshold: float) -> float:
        """The share of strangers that a threshold accepts; NaN where there are none."""
        return share_from(self.strangers, threshold)

    def tar(self, threshold: float) -> float:
        """The share of pairs of one person that a threshold accepts; NaN where there are none."""
        return share_from(self.same, threshold)


def share_from(values: Array, threshold: float) -> float:
    """The share of ascending values (V,) that are at least the threshold; NaN of none."""
    if not len(values):
        return float("nan")
    return (len(values) - int(np.searchsorted(values, np.float32(threshold)))) / len(values)


def kinds(samples: Samples, rules: Protocol, queries: Array, gallery: Array) -> tuple[Array, Array]:
    """Which pairs of some rows of the samples are of one person and of two: (Q, G) bool each, neither where the rules
    hide the pair or a person is unknown."""
    ids, cameras = samples.identities, samples.cameras
    one = ids[queries][:, None] == ids[gallery]
    counts = known(ids[queries])[:, None] & known(ids[gallery])
    if rules.hides != "nothing":
        counts &= ~hidden(rules, ids[queries][:, None], cameras[queries][:, None], ids[gallery], cameras[gallery])
    return one & counts, ~one & counts


def similarities(queries: Array, gallery: Array) -> Array:
    """Cosines (Q, G) float32 of descriptors (Q, E) and (G, E); equal descriptors have equal ones. Raises UserError for
    descriptors that are not finite or all zeros."""
    asked, there = checked(queries, "query"), checked(gallery, "gallery")
    found = np.empty((len(queries), len(gallery)), np.float32)
    for start, block in cosine_distances(asked, there):
        stop = start + len(block)
        found[start:stop] = block / -asked.lengths[start:stop, None].astype(block.dtype)
    copies, originals = repeated(asked.rows)
    found[copies] = found[originals]
    return found


def _ranks(count: int, tail: bool) -> Array:
    """At most so many places, as `EDGES` says, in ascending values, the first and the last among them."""
    if not count:
        return np.empty(0, np.int64)
    from_top = count - np.geomspace(1, count, min(EDGES, count)) if tail else np.empty(0)
    return np.unique(np.concatenate([evenly(count, EDGES), from_top.round().astype(np.int64)]))


def evenly(count: int, most: int) -> Array:
    """At most so many of `count` rows, evenly."""
    return np.linspace(0, count - 1, min(most, count)).round().astype(np.int64)
