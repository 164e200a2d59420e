"""All measures of a run, one after the other."""

from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.disentanglement.blocks import block_figures
from hicmd_tf.disentanglement.factors import GAIT, IDENTITY, LIGHT, MODALITY, YAW, numbers
from hicmd_tf.disentanglement.independence import ENOUGH, independence_figures
from hicmd_tf.disentanglement.interventions import draw_again, movements
from hicmd_tf.disentanglement.measurement import ACROSS, PERMUTED, WITHIN, Measurement, Measurements, Networks
from hicmd_tf.disentanglement.observer import Observer, Targets, fitted, train_observer
from hicmd_tf.disentanglement.probes import permuted, questions, r_squared, read_codes
from hicmd_tf.disentanglement.quality import draw_twins, real_quality, reconstruction_figures
from hicmd_tf.disentanglement.swaps import Scene, columns_of, draw_pairs, real_swaps, swap_figures
from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality
from hicmd_tf.runs.opened import OpenedRun

Array = np.ndarray[Any, Any]

AT_ONCE = 256
MIRRORED = {YAW: -1.0, GAIT: -1.0, LIGHT: 1.0}  # the mirrored left leg is the right one, half a turn of gait away


class Effort(NamedTuple):
    """seed: of folds, pairs, permutations and observer. steps: the observer's. pairs: of each kind, at most."""

    seed: int
    steps: int
    pairs: int


def facts_of(run: OpenedRun, effort: Effort) -> dict[str, Any]:
    """Facts that a run's figures depend on: data, seeds and effort, with which they can be computed again."""
    facts = {
        "data": run.config.data.name,
        "people": len(np.unique(run.samples.identities)),
        "pictures": len(run.samples),
        "training seed": run.config.seed,
        "training steps": run.model.step,
        "seed": effort.seed,
        "pairs": effort.pairs,
        "observer steps": effort.steps,
    }
    if not run.samples.factors:
        facts["not measured"] = "yaw, gait phase, light, block scores and interventions, which take drawn people"
    few = [m for m in MODALITIES if len(run.rows(m)) < ENOUGH]
    if few:
        facts["too few pictures for distance correlation"] = " and ".join(few)
    return facts


def measure(run: OpenedRun, effort: Effort) -> Measurements:
    """Every figure of the run's networks, and of the untrained ones where the run knows them.

    Raises UserError when there are too few people or pictures.
    """
    samples, seed = run.samples, effort.seed
    asked = questions(samples, run.data.train, seed)
    twins = draw_twins(samples, effort.pairs, seed)
    if len(twins[VISIBLE]) < 2:
        raise UserError(
            f"{run.folder.path}: fewer than two people to test are both visible and infrared, expected two or more "
            f"with pictures of either kind: choose another split or data set"
        )
    every = [draw_pairs(samples, setting, effort.pairs, seed) for setting in (WITHIN, ACROSS)]
    every = [pairs for pairs in every if len(pairs.sources)]
    observer, trained = _observer(run, effort)
    scene = Scene(samples, observer.look(run.pictures(np.arange(len(samples)))), numbers(samples, run.data.train))
    features: dict[Modality, Array] = {m: scene.seen.features[run.rows(m)] for m in MODALITIES}
    found = [*_of_observer(scene), *real_swaps(scene, every)]
    found += real_quality(run, observer, features, trained, seed)
    again = draw_again(run.config.data, samples, every[0]) if samples.factors else []
    both: dict[Networks, OpenedRun | None] = {"trained": run, "untrained": run.untrained}
    for networks, of in both.items():
        if of is not None:
            codes = of.codes(np.arange(len(samples)))
            read = read_codes(codes, asked, networks)
            found += [*read, *read_codes(codes, permuted(asked, seed), networks, PERMUTED)]
            if samples.factors:
                found += block_figures(Measurements(read), networks)
            found += independence_figures(codes, {m: run.rows(m) for m in MODALITIES}, seed, networks)
            found += movements(of.model, codes, again, samples, networks)
            found += swap_figures(of, observer, scene, every, networks)
            found += reconstruction_figures(of, observer, twins, features, networks)
    return Measurements(found)


def _observer(run: OpenedRun, effort: Effort) -> tuple[Observer, dict[Modality, Array]]:
    """The observer, and its features of the training people's pictures by modality."""
    samples = run.data.train
    known = numbers(samples, samples)
    rows = np.arange(len(samples))
    chunks = (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))
    pictures = np.concatenate([fitted(run.pictures(chunk, samples)) for chunk in chunks])
    targets = Targets(
        samples.infrared,
        np.concatenate([np.empty((len(samples), 0)), *(factor.targets for factor in known)], axis=1),
        np.concatenate([np.empty(0), *(np.full(f.targets.shape[1], MIRRORED[f.name]) for f in known)]),
        np.unique(samples.identities, return_inverse=True)[1],
    )
    observer = train_observer(pictures, targets, effort.steps, effort.seed)
    features = observer.look(pictures).features
    return observer, {m: features[samples.infrared == (m == INFRARED)] for m in MODALITIES}


def _of_observer(scene: Scene) -> list[Measurement]:
    """How well the observer reads real test pictures; identity by the nearest other picture, in either modality."""
    samples, seen = scene.samples, scene.seen

    def figure(factor: str, measure: str, value: float, chance: float) -> Measurement:
        return Measurement("observer", "observer", "", factor, measure, "real", value, None, chance, len(samples))

    infrared = float(np.mean(samples.infrared))
    right = float(np.mean(seen.infrared == samples.infrared))
    found = [figure(MODALITY, "accuracy", right, max(infrared, 1 - infrared))]
    for factor, columns in zip(scene.numbers, columns_of(scene.numbers), strict=True):
        found.append(figure(factor.name, "R2", r_squared(factor.targets, seen.numbers[:, columns]), 0.0))
    similarity = seen.embedding @ seen.embedding.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = float(np.mean(samples.identities[similarity.argmax(axis=1)] == samples.identities))
    return [*found, figure(IDENTITY, "nearest", nearest, 1 / len(np.unique(samples.identities)))]
