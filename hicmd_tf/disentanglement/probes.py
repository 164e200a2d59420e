"""What can be read from a code: a linear probe and nearest neighbours, cross-validated.

Everything that a probe learns, the inputs' mean and deviation too, it learns from the folds that it isn't asked on.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.labels import shown
from hicmd_tf.data.samples import Samples
from hicmd_tf.disentanglement.factors import IDENTITY, Factor
from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED, VISIBLE

Array = np.ndarray[Any, Any]
Fold = tuple[Array, Array]  # rows learned on, rows asked

FOLDS = 5
NEIGHBOURS = 5  # of an identity, which has few pictures, one
PENALTIES = np.logspace(-2, 4, 7)  # of ridge, chosen inside the learned folds
PROBES = ("linear", "k-NN")

ACROSS = {f"{IDENTITY}, {a} to {b}": b for a, b in ((VISIBLE, INFRARED), (INFRARED, VISIBLE))}
"""Names of identity learned on one modality and asked on the other, with the one asked."""


class Score(NamedTuple):
    """Accuracy or R^2 over folds: mean and standard deviation. chance: accuracy of always naming the most frequent
    class, 0 for R^2. asked: pictures asked on in all."""

    mean: float
    deviation: float
    chance: float
    asked: int


def read(code: Array, factor: Factor, folds: list[Fold], probe: str) -> Score:
    """How well a probe, one of `PROBES`, reads a factor (N values) from a code (N, D) over folds."""
    target = factor.values if factor.kind == "class" else factor.targets
    scores = []
    for learned, asked in folds:
        model = _probe(factor, probe, len(learned)).fit(code[learned], target[learned])
        scores.append(_judge(factor, target[asked], model.predict(code[asked])))
    rows = np.concatenate([asked for _, asked in folds])
    return Score(float(np.mean(scores)), float(np.std(scores)), chance(factor, rows), len(rows))


def chance(factor: Factor, rows: Array) -> float:
    """Share of the most frequent class among rows; 0 for what is judged by R^2."""
    if factor.kind != "class":
        return 0.0
    return float(np.unique(factor.values[rows], return_counts=True)[1].max() / len(rows))


def _probe(factor: Factor, probe: str, learned: int) -> Any:
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    is_class = factor.kind == "class"
    if probe == "linear":
        model = LogisticRegression(max_iter=1000) if is_class else RidgeCV(PENALTIES)
    else:
        neighbours = 1 if factor.name.startswith(IDENTITY) else min(NEIGHBOURS, learned)
        model = (KNeighborsClassifier if is_class else KNeighborsRegressor)(neighbours)
    return make_pipeline(StandardScaler(), model)


def _judge(factor: Factor, truth: Array, found: Array) -> float:
    if factor.kind == "class":
        return float(np.mean(truth == found))
    return r_squared(truth, found.reshape(truth.shape))


def r_squared(truth: Array, found: Array) -> float:
    """1 - squared error / squared deviation from the mean, over all rows and columns of (N, K)."""
    spread = float(np.sum((truth - truth.mean(axis=0)) ** 2))
    return 1.0 - float(np.sum((truth - found) ** 2)) / max(spread, 1e-12)


def identity_folds(samples: Samples, seed: int) -> dict[str, list[Fold]]:
    """Folds of identity by name: within people, every person in each; and from one modality to the other.

    From one modality to the other everything is learned on all pictures of the one; the other's are asked in parts.
    Raises UserError when there are no two people, or one of them has too few pictures.
    """
    people, counts = np.unique(samples.identities, return_counts=True)
    if len(people) < 2:
        raise UserError(
            f"there is {len(people)} person to test on, expected 2 or more: choose another split or data set"
        )
    if counts.min() < 2:
        person = shown(int(people[counts.argmin()]), samples.texts)
        raise UserError(
            f"person {person} has {counts.min()} picture, expected 2 or more of everyone, to learn on one and ask on "
            "another: add pictures, or choose another split"
        )
    folds = {IDENTITY: list(_stratified(samples.identities, np.arange(len(samples)), seed))}
    for name, modality in ACROSS.items():
        folds[name] = _across(samples, samples.infrared == (modality == INFRARED), seed)
    return {name: found for name, found in folds.items() if found}


def _across(samples: Samples, wanted: Array, seed: int) -> list[Fold]:
    """Asked in parts on the rows wanted, of people whom the other rows show too; none if there are no two such."""
    both = samples.shared()
    if len(both) < 2:
        return []
    known = np.isin(samples.identities, both)
    learned, asked = np.flatnonzero(known & ~wanted), np.flatnonzero(known & wanted)
    if np.unique(samples.identities[asked], return_counts=True)[1].min() < 2:
        return [(learned, asked)]
    return [(learned, part) for _, part in _stratified(samples.identities, asked, seed)]


def _stratified(identities: Array, rows: Array, seed: int) -> Iterator[Fold]:
    from sklearn.model_selection import StratifiedKFold

    least = int(np.unique(identities[rows], return_counts=True)[1].min())
    for learned, asked in StratifiedKFold(min(FOLDS, least), shuffle=True, random_state=seed).split(
        rows, identities[rows]
    ):
        yield rows[learned], rows[asked]


def people_folds(samples: Samples) -> list[Fold]:
    """Folds with no person in two of them, for everything but identity."""
    from sklearn.model_selection import GroupKFold

    people = len(np.unique(samples.identities))
    splitter = GroupKFold(min(FOLDS, people))
    return list(splitter.split(samples.identities, groups=samples.identities))
