"""What needs no learning: chance, and nearest neighbours by raw pixels and by colour histograms, across modalities."""

from typing import Any

import numpy as np

from hicmd_tf.data.batches import evaluation_batches
from hicmd_tf.data.pictures import denormalise
from hicmd_tf.data.samples import Samples
from hicmd_tf.notation import MODALITIES
from hicmd_tf.retrieval.chance import chance
from hicmd_tf.retrieval.distances import repeated
from hicmd_tf.retrieval.metrics import Scores, score, score_distances, summary

Array = np.ndarray[Any, Any]

BINS = 8  # a channel
SIMPLE = ("chance", "raw_pixels", "colour_histogram")

Figures = dict[str, dict[str, float]]  # direction -> name -> fraction


def simple_figures(samples: Samples, height: int, width: int) -> dict[str, Figures]:
    """`SIMPLE` -> direction -> figures, every picture of one modality ranked against all of the other.

    raw_pixels: cosine or Euclidean distance of normalised pixels, whichever gives the better rank-1 in a direction.
    colour_histogram: L1 distance of joint histograms with 8 x 8 x 8 bins.
    """
    parts = {m: samples.of(m) for m in MODALITIES}
    pixels = {m: _pixels(parts[m], height, width) for m in MODALITIES}
    results: dict[str, Figures] = {name: {} for name in SIMPLE}
    for query, gallery in (MODALITIES, MODALITIES[::-1]):
        ids = parts[query].identities, parts[gallery].identities
        x, y = (pixels[m].reshape(len(pixels[m]), -1) for m in (query, gallery))
        tried = (score(x, y, *ids), score_distances(_squared_euclidean(x, y), *ids))
        direction = f"{query}_to_{gallery}"
        results["chance"][direction] = chance(*ids)
        results["raw_pixels"][direction] = summary(max(tried, key=_rank1))
        histograms = (_histograms(pixels[m]) for m in (query, gallery))
        results["colour_histogram"][direction] = summary(score_distances(_l1(*histograms), *ids))
    return results


def _rank1(scores: Scores) -> float:
    return float(scores.cmc[0])


def _pixels(samples: Samples, height: int, width: int) -> Array:
    """Normalised pictures (N, H, W, 3)."""
    return np.concatenate([x.numpy() for x in evaluation_batches(samples, height, width, 256)])


def _squared_euclidean(x: Array, y: Array) -> Array:
    """(Q, G); equal gallery pictures are equally far, whatever the matrix product rounds."""
    distances: Array = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1) - 2 * (x @ y.T)
    copies, originals = repeated(y)
    distances[:, copies] = distances[:, originals]
    return distances


def _histograms(pictures: Array) -> Array:
    """(N, H, W, 3) -> (N, 512), shares of the pixels."""
    levels = denormalise(pictures).astype(np.int64) // (256 // BINS)
    colours = (levels[..., 0] * BINS + levels[..., 1]) * BINS + levels[..., 2]
    flat = colours.reshape(len(colours), -1)
    return np.stack([np.bincount(row, minlength=BINS**3) for row in flat]) / flat.shape[1]


def _l1(x: Array, y: Array) -> Array:
    return np.stack([np.abs(row - y).sum(axis=1) for row in x])
