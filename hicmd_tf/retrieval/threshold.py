"""A similarity from which on two pictures are taken for one person, chosen on people who are not tested."""

import json
import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from hicmd_tf.data.samples import SPLITS, Samples
from hicmd_tf.data.searches import Direction, ProtocolName, protocol
from hicmd_tf.errors import UserError, counted
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE
from hicmd_tf.retrieval.pairs import Pairs, evenly
from hicmd_tf.retrieval.verification import LEAST, interval, kept, threshold_at

Array = np.ndarray[Any, Any]
Mark = Literal["likely", "uncertain", "stranger"]

WANTED = 1e-3
"""The false-accept rate that is wanted unless somebody says another."""
LARGEST = 0.1
"""The false-accept rate up to which a threshold is chosen where there are too few pairs for the wanted one."""
MISSED = 0.05
"""The share of the pairs of one person that are less similar than those who are called strangers."""
MOST = 1000
"""Pictures of a modality that a threshold is chosen on; of more people's pictures an even choice is taken."""
FITTED = 100_000
"""Pairs of a kind that are calibrated on; of more an even choice is taken."""
DIRECTION = Direction(
    INFRARED, VISIBLE
)  # whose pairs every protocol's rules see; where they hide nothing, both are equal


class Threshold(NamedTuple):
    """Two similarities, on whom they were chosen and how good they are.

    similarity: from here on a pair is likely of one person. stranger_below: below, it is of strangers; between, it is
    uncertain. wanted: the false-accept rate that was asked for. far, tar: accepted shares of the pairs of strangers and
    of one person, with the ends of their 95 % intervals over people, among those whom it was chosen on. people, same,
    strangers: how many these are, and their pairs. chosen_on: their split, as `SPLITS` has it. tested_far, tested_tar:
    the same shares of the people who are tested, who had no part in choosing; None where they are not others.
    calibration: slope and offset of the log odds that a pair is of one person (`calibrated`).
    """

    similarity: float
    stranger_below: float
    wanted: float
    far: list[float]
    tar: list[float]
    people: int
    same: int
    strangers: int
    chosen_on: str
    tested_far: list[float] | None = None
    tested_tar: list[float] | None = None
    calibration: list[float] | None = None

    def probabilities(self, similarities: Array | float) -> Array:
        """Of one person, for pairs of two modalities of which as many are of one person as of strangers."""
        slope, offset = self.calibration or (0.0, 0.0)
        return expit(slope * np.asarray(similarities, np.float64) + offset)

    def mark(self, similarity: float) -> Mark:
        """What a similarity across modalities says."""
        if similarity >= self.similarity:
            return "likely"
        return "stranger" if similarity < self.stranger_below else "uncertain"

    @property
    def words(self) -> str:
        """In a line each: the threshold, whom it was chosen on, and how good it is for others."""
        lines = [
            f"likely one person from similarity {self.similarity:.4f} on, which {_per_cent(self.far)} of the pairs of "
            f"strangers reach and {_per_cent(self.tar)} of the pairs of one person; strangers below "
            f"{self.stranger_below:.4f}; chosen on {counted(self.people, f'{SPLITS[self.chosen_on]} person')} "
            f"({self.same:,} and {counted(self.strangers, 'pair')})"
        ]
        if self.wanted * self.strangers < LEAST:
            lines.append(
                f"a false-accept rate of {100 * self.wanted:g} % was wanted, which takes "
                f"{round(LEAST / self.wanted):,} pairs of strangers"
            )
        if self.tested_far is not None and self.tested_tar is not None:
            lines.append(
                f"of the test people's pairs, {_per_cent(self.tested_far)} of strangers and "
                f"{_per_cent(self.tested_tar)} of one person reach it"
            )
        return "\n".join(lines)


def _per_cent(figure: list[float]) -> str:
    """A share and its interval, with the digits that give the share two that count, at least one after the point."""
    size = figure[0] or figure[2]
    digits = max(1, 1 - math.floor(math.log10(100 * size))) if size else 1
    value, low, high = (f"{100 * part:.{digits}f}" for part in figure)
    return f"{value} % ({low} to {high})"


def thinned(samples: Samples) -> Samples:
    """The pictures to choose a threshold on: of known people, at most `MOST` of a modality, evenly of everyone."""
    rows = []
    for m in MODALITIES:
        of = np.flatnonzero((samples.infrared == (m == INFRARED)) & samples.known)
        of = of[np.argsort(samples.identities[of], kind="stable")]
        rows.append(of[evenly(len(of), MOST)])
    return samples.select(np.sort(np.concatenate(rows)))


def choose(
    descriptors: Array, samples: Samples, rules: ProtocolName, chosen_on: str, wanted: float = WANTED
) -> Threshold | None:
    """The lowest similarity that at most a share `wanted` of the strangers reach, or the smallest that they can state.

    Those are pairs across modalities that the rules show, so nothing is said about pictures of one modality. None where
    there are no pairs of one person, or so few of strangers that not even `LARGEST` can be stated. Raises UserError as
    `Pairs` does.

    Args:
        descriptors: (N, E), one for each sample.
        chosen_on: the split that they are of, as `SPLITS` has it; never the test's.
    """
    pairs = Pairs(descriptors, samples, DIRECTION, protocol(rules))
    rate = max(wanted, LEAST / max(len(pairs.strangers), 1))
    if not len(pairs.same) or rate > max(wanted, LARGEST):
        return None
    similarity = threshold_at(pairs, rate)
    below = min(float(pairs.same[int(MISSED * len(pairs.same))]), similarity)
    counts = len(pairs.people), len(pairs.same), len(pairs.strangers)
    found = Threshold(similarity, below, wanted, *_rates(pairs, similarity), *counts, chosen_on)
    return found._replace(calibration=calibrated(pairs.same, pairs.strangers))


def tried(threshold: Threshold, descriptors: Array, samples: Samples, rules: ProtocolName) -> Threshold:
    """With its rates for other people. descriptors: (N, E), one for each sample."""
    pairs = Pairs(descriptors, samples, DIRECTION, protocol(rules))
    if not len(pairs.same) or not len(pairs.strangers):
        return threshold
    far, tar = _rates(pairs, threshold.similarity)
    return threshold._replace(tested_far=far, tested_tar=tar)


def _rates(pairs: Pairs, similarity: float) -> tuple[list[float], list[float]]:
    """FAR and TAR of a threshold, with the ends of their intervals over people."""
    tars, fars = (one[0][np.isfinite(one[0])] for one in kept(pairs, np.array([similarity])))
    far = interval(pairs.far(similarity), fars, len(fars))
    tar = interval(pairs.tar(similarity), tars, pairs.paired)
    return [*far], [*tar]


def calibrated(same: Array, strangers: Array) -> list[float]:
    """Slope and offset of log odds that are linear in the similarity, from similarities of pairs, ascending.

    Both kinds of pairs count half, so the odds are those where a pair is as often of one person as of strangers; of
    other odds the logarithm is added. Logistic regression with Platt's targets, by which it ends where both kinds are
    apart (Advances in Large Margin Classifiers, 2000; as scores of speakers are calibrated, Brümmer and du Preez,
    Computer Speech and Language 20, 2006).
    """
    few = [values[evenly(len(values), FITTED)].astype(np.float64) for values in (same, strangers)]
    x = np.concatenate(few)
    mean, scale = x.mean(), max(float(x.std()), 1e-6)
    x = (x - mean) / scale
    targets = np.repeat([(len(same) + 1) / (len(same) + 2), 1 / (len(strangers) + 2)], [len(part) for part in few])
    weights = np.repeat([0.5 / len(part) for part in few], [len(part) for part in few])

    def loss(parameters: Array) -> tuple[float, Array]:
        odds = parameters[0] * x + parameters[1]
        off = weights * (expit(odds) - targets)
        return float(np.sum(weights * (np.logaddexp(0, odds) - targets * odds))), np.array([off @ x, off.sum()])

    slope, offset = minimize(loss, np.zeros(2), jac=True, method="BFGS").x
    return [float(slope / scale), float(offset - slope * mean / scale)]


def threshold_in(found: Mapping[str, Any], place: object) -> Threshold | None:
    """The threshold that a run's metrics.json, or an artefact's metadata, carries; None where it has none.

    place: for the message. Raises UserError where it has something else there.
    """
    stored = found.get("threshold")
    if stored is None:
        return None
    match stored:
        case {"similarity": float(), "stranger_below": float(), "chosen_on": str(split)} if split in SPLITS:
            known = {name: value for name, value in stored.items() if name in Threshold._fields}
            if {*known} >= {*Threshold._fields} - {*Threshold._field_defaults}:
                return Threshold(**known)
    raise UserError(f"{place}: threshold is {json.dumps(stored)[:60]}: hicmd evaluate --run RUN writes it anew")
