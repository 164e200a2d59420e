"""The third measure: how near reconstructions come to the pictures that they should equal, and to real ones at all."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from hicmd_tf.data.pictures import denormalise, normalise
from hicmd_tf.data.samples import Samples
from hicmd_tf.disentanglement.measurement import Measurement, Networks
from hicmd_tf.disentanglement.observer import Observer
from hicmd_tf.method import generation
from hicmd_tf.method.method import Method
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality
from hicmd_tf.runs.opened import OpenedRun

Array = np.ndarray[Any, Any]
Rows = dict[Modality, Array]

KINDS = [(kind, m) for kind in ("same", "cross", "cycle") for m in MODALITIES]
AT_ONCE = 16


def draw_twins(samples: Samples, count: int, seed: int) -> Rows:
    """Up to `count` pairs of a visible and an infrared picture of one person, as rows (P,); each picture once."""
    rng = np.random.default_rng(seed)
    pairs = []
    for person in np.unique(samples.identities):
        of = [rng.permutation(np.flatnonzero((samples.identities == person) & (samples.infrared == m))) for m in (0, 1)]
        pairs += list(zip(*of, strict=False))
    chosen = rng.permutation(np.array(pairs, np.int64).reshape(-1, 2))[:count]
    return {VISIBLE: chosen[:, 0], INFRARED: chosen[:, 1]}


def reconstruct(run: OpenedRun, twins: Rows) -> Iterator[dict[tuple[str, Modality], Array]]:
    """Same, cross and cycle reconstructions (Eq. 1 to 3) in the look of either modality, (B, H, W, 3) uint8."""
    # Traced once for each size: G takes several codes for each prototype, and must know how many when it is traced.
    make = tf.function(partial(generation.reconstruct, Method(run.model.networks, run.config)))
    for start in range(0, len(twins[VISIBLE]), AT_ONCE):
        made = make({m: normalise(run.pictures(twins[m][start : start + AT_ONCE])) for m in MODALITIES})
        yield {(kind, m): denormalise(getattr(made, kind)[m].numpy()) for kind, m in KINDS}


def reconstruction_figures(
    run: OpenedRun, observer: Observer, twins: Rows, features: Rows, networks: Networks
) -> list[Measurement]:
    """All figures of same, cross and cycle pictures; features: the observer's of the real test pictures."""
    parts: dict[tuple[str, Modality], list[Array]] = {key: [] for key in KINDS}
    with tqdm(total=len(twins[VISIBLE]), desc=f"reconstructing, {networks}", unit="pair", leave=False) as bar:
        for pictures in reconstruct(run, twins):
            for key, of in pictures.items():
                parts[key].append(of)
            bar.update(len(of))
    found = []
    for (kind, m), part in parts.items():
        made = np.concatenate(part)
        found += _compared(observer, made, run.pictures(twins[m]), kind, m, networks)
        found.append(_apart(observer.look(made).features, features[m], kind, m, networks))
    return found


def real_quality(run: OpenedRun, observer: Observer, features: Rows, trained: Rows, seed: int) -> list[Measurement]:
    """Figures of real pictures: two of one person, two halves of the test pictures, training and test people's.

    features, trained: the observer's, of real pictures of the people to test and of those trained on.
    """
    rng, found = np.random.default_rng(seed), []
    for m in MODALITIES:
        rows = run.rows(m)
        first, second = others(run.samples.identities[rows], rng)
        if len(first):
            pictures = run.pictures(rows[first]), run.pictures(rows[second])
            found += _compared(observer, *pictures, "another picture of the person", m, "real")
        half = rng.permutation(len(rows))
        halves = features[m][half[::2]], features[m][half[1::2]]
        for name, a, b in (("halves of the test pictures", *halves), ("training people", trained[m], features[m])):
            if min(len(a), len(b)) > 1:
                found.append(_apart(a, b, name, m, "real"))
    return found


def others(identities: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Rows of everyone who has several pictures, and for each another row of the same person."""
    first, second = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for person in np.unique(identities):
        rows = rng.permutation(np.flatnonzero(identities == person))
        if len(rows) > 1:
            first.append(rows)
            second.append(np.roll(rows, 1))
    return np.concatenate(first), np.concatenate(second)


def _compared(
    observer: Observer, made: Array, real: Array, subject: str, modality: Modality, networks: Networks
) -> list[Measurement]:
    values = {"L1": l1(made, real), "PSNR": psnr(made, real), "perceptual": observer.distance(made, real).mean()}
    return [
        Measurement("quality", subject, modality, "", name, networks, float(value), asked=len(made))
        for name, value in values.items()
    ]


def _apart(first: Array, second: Array, subject: str, modality: Modality, networks: Networks) -> Measurement:
    apart = frechet(first, second)
    return Measurement("quality", subject, modality, "", "Frechet", networks, apart, asked=len(first))


def l1(made: Array, real: Array) -> float:
    """Mean absolute difference of uint8 pictures, as a share of the range from black to white."""
    return float(np.abs(made.astype(np.float32) - real).mean() / 255)


def psnr(made: Array, real: Array) -> float:
    """10 log10(255^2 / mean squared difference) of each uint8 picture, averaged, in decibels; 100 for equal ones."""
    squared = np.square(made.astype(np.float64) - real).mean(axis=(1, 2, 3))
    return float(np.minimum(10 * np.log10(255**2 / np.maximum(squared, 1e-12)), 100.0).mean())


def frechet(first: Array, second: Array) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of the means and covariances of features (N, F) and (M, F), two rows
    or more of each. The root's trace is the sum of the roots of S1 S2's eigenvalues, none of which is negative."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    apart = a.mean(axis=0) - b.mean(axis=0)
    of_a, of_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    common = np.sqrt(np.maximum(np.linalg.eigvals(of_a @ of_b).real, 0.0)).sum()
    return float(max(apart @ apart + np.trace(of_a) + np.trace(of_b) - 2 * common, 0.0))
