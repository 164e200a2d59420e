"""Whether two pictures show one person, and whether somebody is in a gallery at all: verification and open sets.

Verification judges pairs (`pairs`), every query with every picture of the other modality; no gallery is drawn for it.

* EER, the equal error rate: where FAR = FRR, on the ROC's straight lines between its points.
* TAR at FAR f: the largest of all thresholds whose FAR is at most f.

Open-set identification looks queries up in the protocol's galleries. A query of somebody who is not there is had by
taking its own person out of the gallery; it is a false alarm when the best that is left is accepted.

* DIR at FAR f, the detection and identification rate at rank 1: the share of the queries with a match whose first
  picture is a match and is accepted, at the lowest threshold at which at most f of all queries are false alarms when
  their own person is taken out. Where everything is accepted this is rank-1.
  (Phillips, Grother and Micheals, Handbook of Face Recognition, 2nd ed., 2011, Ch. 21.)
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import Search, protocol
from hicmd_tf.errors import waiting
from hicmd_tf.retrieval.evaluation import Interval, by_direction, of_variance
from hicmd_tf.retrieval.pairs import Pairs, kinds

Array = np.ndarray[Any, Any]

EER = "EER"
TAR = {f"TAR at FAR {text} %": rate for text, rate in (("1", 1e-2), ("0.1", 1e-3), ("0.01", 1e-4))}
DIR = {f"DIR at FAR {text} %": rate for text, rate in (("1", 1e-2), ("10", 1e-1))}
FIGURES = (EER, *TAR, *DIR)
LEAST = 10
"""False accepts from which on a rate is stated: even of so many that don't depend on each other the standard error is a
third of them."""
CURVE = tuple(float(f"{m}e-{power}") for power in range(6, 0, -1) for m in (1, 2, 5))
"""FARs at which the ROC is written down."""


class Verified(NamedTuple):
    """Verification and open-set identification in one direction.

    same, strangers: how many pairs of one person, and of two. queries: how many were looked up in galleries without
    their person; of several galleries the least. people: who is in the pairs. figures: by name (`FIGURES`) the figure
    and the ends of its 95 % interval over people, fractions; None where the data can't state it. thresholds: the
    similarity from which on a pair is accepted, for EER and TARs that are stated. roc: points (FAR, TAR), as far as the
    data can state them. left_out: queries that were not asked, where there are too many pairs (`pairs.MOST`).
    """

    direction: str
    people: int
    same: int
    strangers: int
    queries: int
    figures: dict[str, list[float] | None]
    thresholds: dict[str, float]
    roc: list[list[float]]
    left_out: int = 0

    @property
    def why(self) -> dict[str, str]:
        """In words, why a figure is not stated, by name."""
        return {name: self._why(name) for name in FIGURES if self.figures.get(name) is None}

    def _why(self, name: str) -> str:
        if not self.same or not self.strangers:
            return "it takes pairs of one person and of two"
        rate, counted, what = (
            (TAR[name], self.strangers, "pairs of strangers") if name in TAR else (DIR[name], self.queries, "queries")
        )
        return f"it takes {round(LEAST / rate):,} {what}, there are {counted:,}"


def verify(descriptors: Array, samples: Samples, searches: Iterable[Search]) -> list[Verified]:
    """One result for each direction of the searches, by the rules and the galleries of its first.

    descriptors: (N, E), one for each sample. Raises UserError as `Pairs` does.
    """
    waiting("comparing pairs")
    return [_verified(descriptors, samples, search) for search in by_direction(searches).values()]


def _verified(descriptors: Array, samples: Samples, search: Search) -> Verified:
    pairs = Pairs(descriptors, samples, search.direction, protocol(search.protocol))
    asked = looked_up(pairs, search.galleries)
    queries = min(len(gallery.strangers) for gallery in asked)
    counts = len(pairs.people), len(pairs.same), len(pairs.strangers), queries
    figures: dict[str, list[float] | None] = dict.fromkeys(FIGURES)
    thresholds: dict[str, float] = {}
    roc: list[list[float]] = []
    if len(pairs.same) and len(pairs.strangers):
        leaving, people = _left_out(pairs), pairs.paired
        rate, thresholds[EER] = equal_error(pairs)
        figures[EER] = _listed(interval(rate, np.array([np.interp(0, f + t - 1, f) for f, t in leaving]), people))
        for name, of in stated(TAR, len(pairs.strangers)).items():
            thresholds[name] = threshold_at(pairs, of)
            others = np.array([np.interp(of, f, t) for f, t in leaving])
            figures[name] = _listed(interval(pairs.tar(thresholds[name]), others, people))
        rates = (rate for rate in (*CURVE, 1.0) if rate * len(pairs.strangers) >= LEAST)
        roc = [[rate, pairs.tar(threshold_at(pairs, rate))] for rate in rates]
        if all(len(gallery.same) for gallery in asked):
            for name, of in stated(DIR, queries).items():
                figures[name] = _listed(_detected(asked, of))
    return Verified(str(search.direction), *counts, figures, thresholds, roc, pairs.left_out)


def stated(rates: dict[str, float], count: int) -> dict[str, float]:
    """Those of the false-accept rates that so many pairs, or queries, can state."""
    return {name: rate for name, rate in rates.items() if rate * count >= LEAST}


def _listed(found: Interval) -> list[float]:
    return [found.figure, found.low, found.high]


# ------------------------------------------------------------------------------------------------------- verification


def threshold_at(pairs: Pairs, rate: float) -> float:
    """The lowest similarity that occurs and accepts at most such a share of the strangers.

    Where even the highest accepts more, the next number above it.
    """
    allowed = _allowed(rate, len(pairs.strangers))
    if allowed >= len(pairs.strangers):
        return float(min(pairs.same[:1].min(initial=np.inf), pairs.strangers[0]))
    refused = pairs.strangers[-1 - allowed]  # and whatever equals it
    return _next(pairs, refused)


def _allowed(rate: float, count: int) -> int:
    """How many of so many a rate is; 0.07 of 100 are 7, though 0.07 * 100 is a little more than that."""
    return int(np.floor(rate * count * (1 + 1e-12)))


def _next(pairs: Pairs, value: Any) -> float:
    """The lowest similarity above a value."""
    above = [
        of[place] for of in (pairs.same, pairs.strangers) if (place := np.searchsorted(of, value, "right")) < len(of)
    ]
    return float(min(above)) if above else float(np.nextafter(np.float32(value), np.float32(np.inf)))


def equal_error(pairs: Pairs) -> tuple[float, float]:
    """The equal error rate, and the highest similarity that occurs at which FAR is not below FRR."""

    def enough(threshold: float) -> bool:
        return pairs.far(threshold) + pairs.tar(threshold) >= 1

    candidates = []
    for values in (pairs.same, pairs.strangers):  # FAR - FRR falls as the threshold rises
        low, high = 0, len(values)  # values[low - 1] is enough, values[high] is not
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if enough(values[middle]) else (low, middle)
        if low:
            candidates.append(float(values[low - 1]))
    threshold = max(candidates)  # the lowest similarity of all accepts everything
    above = _next(pairs, np.float32(threshold))
    far, tar = pairs.far(threshold), pairs.tar(threshold)
    far_above, tar_above = pairs.far(above), pairs.tar(above)
    before, after = far + tar - 1, far_above + tar_above - 1  # >= 0, < 0
    return far + (far_above - far) * before / (before - after), threshold


def _left_out(pairs: Pairs) -> list[tuple[Array, Array]]:
    """FARs and TARs (B,), ascending, at thresholds, without the pairs of one person after another."""
    tars, fars = kept(pairs, pairs.edges())
    ends = np.zeros(1)
    return [
        (np.concatenate([ends, far[::-1]]), np.concatenate([ends, tar[::-1]]))
        for far, tar in zip(fars.T, tars.T, strict=True)
        if np.isfinite(far).all() and np.isfinite(tar).all()
    ]


def kept(pairs: Pairs, edges: Array) -> list[Array]:
    """TARs and FARs (B, P) at each of the edges when each person is left out; NaN where nothing is left."""
    least = np.concatenate([[-np.inf], edges]).astype(np.float32)
    found = []
    for values, without in zip((pairs.same, pairs.strangers), pairs.accepted(least), strict=True):
        total = len(values) - np.searchsorted(values, least)
        left = (total[:, None] - without).astype(np.float64)
        with np.errstate(invalid="ignore"):
            found.append(left[1:] / left[0])
    return found


def interval(figure: float, without: Array, people: int) -> Interval:
    """The 95 % interval over people of a figure from its values without one after another of them (P,).

    people: whom the figure is of: the others among the P matter to its threshold only.

    A pair is of two people, so pairs that share one depend on each other, and no person's pairs can be drawn alone. The
    variance is the jackknife's, which leaves each person out with all their pairs, and so finds the threshold anew
    (Arvesen, Annals of Mathematical Statistics 40, 1969, for such means over pairs; Snijders and Borgatti, Connections
    22, 1999, for people of networks). The interval is that of as many independent answers (`evaluation.of_variance`):
    near 0 and 1 intervals of plain variances, and some bootstraps, hold the truth too rarely (Fogliato, Patil and
    Perona, International Journal of Computer Vision 132, 2024).
    """
    count = len(without)
    variance = (count - 1) / count * float(np.square(without - without.mean()).sum()) if count else 0.0
    return of_variance(figure, variance, max(min(people, count), 1))


# ------------------------------------------------------------------------------------------- open-set identification


class LookedUp(NamedTuple):
    """Queries in one gallery. people: (Q,), whom those show that are looked up without their own person, and
    strangers: (Q,), the best similarity that each finds then. asked: (V,), whom those show that have a match, and same:
    (V,), the similarity of their first picture where it is a match, else -inf."""

    people: Array
    strangers: Array
    asked: Array
    same: Array


def looked_up(pairs: Pairs, galleries: Sequence[Array]) -> list[LookedUp]:
    """All queries in each of the galleries, rows (G,) of the samples; known people's pictures in them."""
    samples = pairs.samples
    column = np.full(len(samples), -1)
    column[pairs.gallery] = np.arange(len(pairs.gallery))
    identities = samples.identities[pairs.queries]
    found = []
    for rows in galleries:
        rows = rows[column[rows] >= 0]
        columns = column[rows]
        own, other = np.full((2, len(pairs.queries)), -np.inf, np.float32)
        first = np.zeros(len(pairs.queries), bool)
        for row, stop in pairs.blocks():
            block = pairs.similarities[row:stop][:, columns]
            (mine, my_place), (theirs, their_place) = (
                _best(block, kind) for kind in kinds(samples, pairs.rules, pairs.queries[row:stop], rows)
            )
            own[row:stop], other[row:stop] = mine, theirs
            # Of equal ones the first in the gallery is first, as in a ranking.
            first[row:stop] = (mine > theirs) | ((mine == theirs) & (my_place < their_place))
        there, matched = other > -np.inf, own > -np.inf
        hits = np.where(first, own, -np.inf)
        found.append(LookedUp(identities[there], other[there], identities[matched], hits[matched]))
    return found


def _best(block: Array, which: Array) -> tuple[Array, Array]:
    """The highest similarity of each row among some pairs (B, G), and where it is first; -inf where there are none."""
    if not block.shape[1]:
        return np.full(len(block), -np.inf, np.float32), np.zeros(len(block), np.int64)
    chosen = np.where(which, block, np.float32(-np.inf))
    place = chosen.argmax(axis=1)
    return chosen[np.arange(len(block)), place], place


def detection(gallery: LookedUp, rate: float) -> float:
    """DIR at a false-accept rate."""
    allowed = _allowed(rate, len(gallery.strangers))
    if allowed >= len(gallery.strangers):
        return float(np.mean(gallery.same > -np.inf))
    place = len(gallery.strangers) - 1 - allowed
    return float(np.mean(gallery.same > np.partition(gallery.strangers, place)[place]))


def _detected(galleries: Sequence[LookedUp], rate: float) -> Interval:
    """The mean over galleries, and its interval over those who ask; model and gallery stay as they are."""
    people = np.unique(np.concatenate([gallery.asked for gallery in galleries]))
    without = []
    for person in people:
        kept = [
            LookedUp(g.people[a := g.people != person], g.strangers[a], g.asked[b := g.asked != person], g.same[b])
            for g in galleries
        ]
        if all(len(g.same) and len(g.strangers) for g in kept):
            without.append(np.mean([detection(g, rate) for g in kept]))
    figure = float(np.mean([detection(gallery, rate) for gallery in galleries]))
    return interval(figure, np.array(without), len(people))
