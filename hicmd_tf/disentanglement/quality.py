"""The third measure: how near reconstructions come to the pictures that they should equal, and to real ones at all."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from hicmd_tf.data.pictures import denormalise, normalise
from hicmd_tf.data.samples import Samples
from hicmd_tf.disentanglement.frechet import frechet
from hicmd_tf.disentanglement.measurement import Measurement, Networks
from hicmd_tf.disentanglement.observer import Observer
from hicmd_tf.method import generation
from hicmd_tf.method.method import Method
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality
from hicmd_tf.runs.opened import OpenedRun

Array = np.ndarray[Any, Any]
Rows = dict[Modality, Array]

KINDS = ("same", "cross", "cycle")
L1, PSNR, PERCEPTUAL, FRECHET = "L1", "PSNR", "perceptual", "Frechet"
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
        yield {(kind, m): denormalise(getattr(made, kind)[m].numpy()) for kind, m in _KEYS}


_KEYS = [(kind, m) for kind in KINDS for m in MODALITIES]


def reconstruction_figures(
    run: OpenedRun, observer: Observer, twins: Rows, features: dict[Modality, Array], networks: Networks
) -> list[Measurement]:
    """All figures of same, cross and cycle pictures; features: the observer's of the real test pictures."""
    parts: dict[tuple[str, Modality], list[Array]] = {key: [] for key in _KEYS}
    with tqdm(total=len(twins[VISIBLE]), desc=f"reconstructing, {networks}", unit="pair", leave=False) as bar:
        for pictures in reconstruct(run, twins):
            for key, of in pictures.items():
                parts[key].append(of)
            bar.update(len(of))
    found = []
    for (kind, m), made in parts.items():
        pictures_made = np.concatenate(made)
        found += _compared(observer, pictures_made, run.pictures(twins[m]), kind, m, networks)
        apart = frechet(observer.look(pictures_made).features, features[m])
        found.append(Measurement("quality", kind, m, "", FRECHET, networks, apart, asked=len(pictures_made)))
    return found


def real_figures(
    run: OpenedRun, observer: Observer, features: dict[Modality, Array], trained: dict[Modality, Array], seed: int
) -> list[Measurement]:
    """What real pictures reach: two of one person, two halves of the test pictures, training people's and theirs.

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
                found.append(Measurement("quality", name, m, "", FRECHET, "real", frechet(a, b), asked=len(a)))
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
    values = {
        L1: l1(made, real),
        PSNR: psnr(made, real),
        PERCEPTUAL: float(observer.distance(made, real).mean()),
    }
    return [
        Measurement("quality", subject, modality, "", name, networks, value, asked=len(made))
        for name, value in values.items()
    ]


def l1(made: Array, real: Array) -> float:
    """Mean absolute difference of uint8 pictures, as a share of the range from black to white."""
    return float(np.abs(made.astype(np.float32) - real).mean() / 255)


def psnr(made: Array, real: Array) -> float:
    """10 log10(255^2 / mean squared difference) of each uint8 picture, averaged, in decibels; 100 for equal ones."""
    squared = np.square(made.astype(np.float64) - real).mean(axis=(1, 2, 3))
    return float(np.minimum(10 * np.log10(255**2 / np.maximum(squared, 1e-12)), 100.0).mean())
