"""Rows that need no learning: chance, and nearest neighbours by raw pixels and by colour histograms."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from tqdm import tqdm

from hicmd_tf.data.batches import evaluation_batches
from hicmd_tf.data.pictures import denormalise
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import Search
from hicmd_tf.notation import VISIBLE
from hicmd_tf.retrieval.chance import chance
from hicmd_tf.retrieval.evaluation import by_direction, labels, spread
from hicmd_tf.retrieval.metrics import score_distances, summary

Array = np.ndarray[Any, Any]

BINS = 8  # a channel
SIMPLE = ("chance", "raw_pixels", "colour_histogram")
BLOCK_BYTES = 2**29
"""Of normalised infrared pictures that visible ones are compared with at a time."""
BATCH = 64
"""Visible pictures at a time."""
KINDS = ("cosine", "euclidean", "colour_histogram")

Figures = dict[str, dict[str, float]]  # direction -> name -> fraction


def simple_figures(samples: Samples, searches: Iterable[Search], height: int, width: int) -> dict[str, Figures]:
    """`SIMPLE` -> direction -> figures of the first search of each direction, means over its galleries.

    raw_pixels: cosine or Euclidean distance of normalised pixels, whichever gives the better rank-1 in a direction.
    colour_histogram: L1 distance of joint histograms with 8 x 8 x 8 bins. Raises UserError as `metrics.score` does.
    """
    asked = by_direction(searches)
    needed = np.unique(np.concatenate([rows for one in asked.values() for rows in (one.queries, *one.galleries)]))
    visible, infrared = (needed[samples.infrared[needed] == of] for of in (False, True))
    found = _distances(samples.select(visible), samples.select(infrared), height, width)
    results: dict[str, Figures] = {name: {} for name in SIMPLE}
    for direction, search in asked.items():
        query, gallery = (visible, infrared) if search.direction.query == VISIBLE else (infrared, visible)
        trials: dict[str, list[dict[str, float]]] = {name: [] for name in ("chance", *KINDS)}
        for rows in search.galleries:
            of = labels(samples, search, rows)
            trials["chance"].append(chance(*of))
            cells = np.ix_(np.searchsorted(query, search.queries), np.searchsorted(gallery, rows))
            for name, distances in found.items():
                turned = distances if query is visible else distances.T
                trials[name].append(summary(score_distances(turned[cells], *of)))
        means = {name: spread(each)[0] for name, each in trials.items()}
        means["raw_pixels"] = max(means["cosine"], means["euclidean"], key=lambda figures: figures["rank1"])
        for name in SIMPLE:
            results[name][direction] = means[name]
    return results


def _distances(visible: Samples, infrared: Samples, height: int, width: int) -> dict[str, Array]:
    """`KINDS` -> (V, I) float32, in blocks: decoded pictures are never all in memory."""
    found = {name: np.empty((len(visible), len(infrared)), np.float32) for name in KINDS}
    step = max(1, BLOCK_BYTES // (height * width * 3 * 4))
    with tqdm(total=found["cosine"].size, desc="comparing pixels", unit="pair", unit_scale=True, leave=False) as bar:
        for columns, y in _blocks(infrared, height, width, step):
            for rows, x in _blocks(visible, height, width, BATCH):
                products = x.pixels @ y.pixels.T
                found["cosine"][rows, columns] = -products / x.lengths[:, None] / y.lengths
                found["euclidean"][rows, columns] = np.square(x.lengths)[:, None] + np.square(y.lengths) - 2 * products
                found["colour_histogram"][rows, columns] = cdist(x.histograms, y.histograms, "cityblock")
                bar.update(products.size)
    return found


class Block(NamedTuple):
    """Normalised pictures as rows (n, 3 H W), their lengths (n,), and their histograms (n, 512)."""

    pixels: Array
    lengths: Array
    histograms: Array


def _blocks(samples: Samples, height: int, width: int, step: int) -> Iterator[tuple[slice, Block]]:
    """So many pictures at a time, and which these are."""
    for place, pictures in enumerate(evaluation_batches(samples, height, width, step)):
        pixels = pictures.reshape(len(pictures), -1)
        lengths = np.maximum(np.linalg.norm(pixels, axis=1), np.finfo(np.float32).tiny)
        yield slice(place * step, place * step + len(pixels)), Block(pixels, lengths, _histograms(pictures))


def _histograms(pictures: Array) -> Array:
    """(N, H, W, 3) -> (N, 512), shares of the pixels."""
    levels = denormalise(pictures).astype(np.int64) // (256 // BINS)
    colours = (levels[..., 0] * BINS + levels[..., 1]) * BINS + levels[..., 2]
    flat = colours.reshape(len(colours), -1)
    return np.stack([np.bincount(row, minlength=BINS**3) for row in flat]) / flat.shape[1]
