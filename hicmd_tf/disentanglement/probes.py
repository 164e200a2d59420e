"""The first measure: what can be read from a code by a linear probe and by nearest neighbours, cross-validated.

Everything that a probe learns, the inputs' mean and deviation too, it learns from the folds that it isn't asked on.
Its control is the same probe on labels that belong to other pictures: what it reads there, it reads in anything.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from tqdm import tqdm

from hicmd_tf.data.labels import shown
from hicmd_tf.data.samples import Samples
from hicmd_tf.disentanglement.factors import IDENTITY, Factor, classes, numbers
from hicmd_tf.disentanglement.measurement import Measurement, Networks
from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED, VISIBLE

Array = np.ndarray[Any, Any]
Fold = tuple[Array, Array]  # rows learned on, rows asked

FOLDS = 5
NEIGHBOURS = 5  # of an identity, which has few pictures, one
PENALTIES = np.logspace(-2, 4, 7)  # of ridge, chosen inside the learned folds
PROBES = ("linear", "k-NN")

IDENTITY_ACROSS = {f"{IDENTITY}, {a} to {b}": b for a, b in ((VISIBLE, INFRARED), (INFRARED, VISIBLE))}
"""Names of identity learned on one modality and asked on the other, with the one asked."""


def questions(samples: Samples, reference: Samples, seed: int) -> list[tuple[Factor, list[Fold]]]:
    """The factors to read, each with its folds; reference: see `factors.numbers`. Raises UserError as `identity_folds`
    does."""
    asked = [
        (Factor(name, "class", samples.identities), folds) for name, folds in identity_folds(samples, seed).items()
    ]
    others = people_folds(samples)
    return asked + [(factor, others) for factor in (*classes(samples), *numbers(samples, reference))]


def permuted(asked: list[tuple[Factor, list[Fold]]], seed: int) -> list[tuple[Factor, list[Fold]]]:
    """The same questions with each factor's values in another order, and its folds as they are.

    Values are exchanged within what is learned and within what is asked where these are two modalities' pictures, and
    among all pictures otherwise, so that chance stays what it was. A control of probes as Hewitt and Liang, Designing
    and interpreting probes with control tasks, 2019, ask for, with labels that have no rule at all.
    """
    return [(factor._replace(values=_exchanged(factor.values, folds, seed)), folds) for factor, folds in asked]


def _exchanged(values: Array, folds: list[Fold], seed: int) -> Array:
    rng, moved = np.random.default_rng(seed), values.copy()
    asked = np.unique(np.concatenate([rows for _, rows in folds]))
    learned = np.unique(np.concatenate([rows for rows, _ in folds]))
    for rows in (asked, np.setdiff1d(learned, asked)):
        moved[rows] = values[rng.permutation(rows)]
    return moved


def read_codes(
    codes: dict[str, Array], asked: list[tuple[Factor, list[Fold]]], networks: Networks, setting: str = ""
) -> list[Measurement]:
    """One figure per code (N, D), factor and probe; setting: of the figures, where the questions are `permuted`."""
    from threadpoolctl import threadpool_limits

    jobs = [(name, factor, folds, probe) for name in codes for factor, folds in asked for probe in PROBES]
    with threadpool_limits(1):  # the matrices are so small that threads wait for one another most of the time
        return [
            read(codes[name], name, factor, folds, probe, networks)._replace(setting=setting)
            for name, factor, folds, probe in tqdm(jobs, f"reading codes, {networks}", unit="probe", leave=False)
        ]


def read(code: Array, name: str, factor: Factor, folds: list[Fold], probe: str, networks: Networks) -> Measurement:
    """Accuracy or R^2, over folds, of a probe, one of `PROBES`, that reads a factor (N values) from a code (N, D).

    Its chance is the accuracy of always naming the most frequent class, 0 for R^2.
    """
    is_class = factor.kind == "class"
    target = factor.values if is_class else factor.targets
    scores = []
    for learned, asked in folds:
        found = _probe(factor, probe, target[learned]).fit(code[learned], target[learned]).predict(code[asked])
        truth = target[asked]
        scores.append(float(np.mean(truth == found)) if is_class else r_squared(truth, found.reshape(truth.shape)))
    rows = np.concatenate([asked for _, asked in folds])
    chance = float(np.unique(target[rows], return_counts=True)[1].max() / len(rows)) if is_class else 0.0
    mean, deviation = float(np.mean(scores)), float(np.std(scores))
    return Measurement("reading", name, "", factor.name, probe, networks, mean, deviation, chance, len(rows))


def _probe(factor: Factor, probe: str, learned: Array) -> Any:
    """learned: the values that it will learn from; of a single class it names that one."""
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    is_class = factor.kind == "class"
    if probe == "linear":
        several = len(np.unique(learned)) > 1
        classifier = LogisticRegression(max_iter=1000) if several else DummyClassifier()
        model = classifier if is_class else RidgeCV(PENALTIES)
    else:
        neighbours = 1 if factor.name.startswith(IDENTITY) else min(NEIGHBOURS, len(learned))
        model = (KNeighborsClassifier if is_class else KNeighborsRegressor)(neighbours)
    return make_pipeline(StandardScaler(), model)


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
    found = {IDENTITY: list(_stratified(samples.identities, np.arange(len(samples)), seed))}
    both = samples.shared()
    known = np.isin(samples.identities, both)
    for name, modality in IDENTITY_ACROSS.items() if len(both) > 1 else ():
        wanted = samples.infrared == (modality == INFRARED)
        learned, asked = np.flatnonzero(known & ~wanted), np.flatnonzero(known & wanted)
        found[name] = [(learned, part) for _, part in _stratified(samples.identities, asked, seed)]
    return found


def _stratified(identities: Array, rows: Array, seed: int) -> Iterator[Fold]:
    """Everyone's rows in each fold; all of them in one where somebody has a single row."""
    from sklearn.model_selection import StratifiedKFold

    least = int(np.unique(identities[rows], return_counts=True)[1].min())
    if least < 2:
        yield rows, rows
        return
    folds = StratifiedKFold(min(FOLDS, least), shuffle=True, random_state=seed)
    yield from ((rows[learned], rows[asked]) for learned, asked in folds.split(rows, identities[rows]))


def people_folds(samples: Samples) -> list[Fold]:
    """Folds with no person in two of them, for everything but identity."""
    from sklearn.model_selection import GroupKFold

    people = len(np.unique(samples.identities))
    return list(GroupKFold(min(FOLDS, people)).split(samples.identities, groups=samples.identities))
