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
from hicmd_tf.retrieval.evaluation import spread
from hicmd_tf.retrieval.metrics import score_distances, summary

Array = np.ndarray[Any, Any]

BINS = 8  # a channel
SIMPLE = ("chance", "raw_pixels", "colour_histogram")
BLOCK_BYTES = 2**29
"""Of normalised infrared pictures that visible ones are compared with at a time."""
BATCH = 64
"""Visible pictures at a time."""

Figures = dict[str, dict[str, float]]  # direction -> name -> fraction


class Distances(NamedTuple):
    """Of visible pictures (V,) to infrared ones (I,), both rows of the samples: (V, I) float32 each."""

    visible: Array
    infrared: Array
    cosine: Array
    euclidean: Array
    histogram: Array


def simple_figures(samples: Samples, searches: Iterable[Search], height: int, width: int) -> dict[str, Figures]:
    """`SIMPLE` -> direction -> figures of the first search of each direction, means over its galleries.

    raw_pixels: cosine or Euclidean distance of normalised pixels, whichever gives the better rank-1 in a direction.
    colour_histogram: L1 distance of joint histograms with 8 x 8 x 8 bins. Raises UserError as `metrics.score` does.
    """
    main: dict[str, Search] = {}
    for search in searches:
        main.setdefault(str(search.direction), search)
    found = _distances(samples, [*main.values()], height, width)
    results: dict[str, Figures] = {name: {} for name in SIMPLE}
    for direction, search in main.items():
        tried = (_figures(distances, found, samples, search) for distances in (found.cosine, found.euclidean))
        results["chance"][direction] = _chance(samples, search)
        results["raw_pixels"][direction] = max(tried, key=lambda figures: figures["rank1"])
        results["colour_histogram"][direction] = _figures(found.histogram, found, samples, search)
    return results


def _labels(samples: Samples, search: Search, gallery: Array) -> tuple[Any, ...]:
    ids, cameras = samples.identities, samples.cameras
    return ids[search.queries], ids[gallery], cameras[search.queries], cameras[gallery], search.protocol


def _chance(samples: Samples, search: Search) -> dict[str, float]:
    return spread([chance(*_labels(samples, search, gallery)) for gallery in search.galleries])[0]


def _figures(distances: Array, of: Distances, samples: Samples, search: Search) -> dict[str, float]:
    """Of one kind of distances."""
    asks_visible = search.direction.query == VISIBLE
    distances = distances if asks_visible else distances.T
    rows, columns = (of.visible, of.infrared) if asks_visible else (of.infrared, of.visible)
    asked = distances[np.searchsorted(rows, search.queries)]
    return spread(
        [
            summary(score_distances(asked[:, np.searchsorted(columns, gallery)], *_labels(samples, search, gallery)))
            for gallery in search.galleries
        ]
    )[0]


def _distances(samples: Samples, searches: list[Search], height: int, width: int) -> Distances:
    """Between all pictures that the searches need, in blocks: decoded pictures are never all in memory."""
    needed = np.unique(np.concatenate([rows for one in searches for rows in (one.queries, *one.galleries)]))
    visible, infrared = (needed[samples.infrared[needed] == of] for of in (False, True))
    shape = len(visible), len(infrared)
    found = Distances(visible, infrared, *(np.empty(shape, np.float32) for _ in range(3)))
    step = max(1, BLOCK_BYTES // (height * width * 3 * 4))
    with tqdm(total=shape[0] * shape[1], desc="comparing pixels", unit="pair", unit_scale=True, leave=False) as bar:
        for columns, y in _blocks(samples.select(infrared), height, width, step):
            for rows, x in _blocks(samples.select(visible), height, width, BATCH):
                block = slice(rows, rows + len(x.pixels)), slice(columns, columns + len(y.pixels))
                products = x.pixels @ y.pixels.T
                found.cosine[block] = -products / x.lengths[:, None] / y.lengths
                found.euclidean[block] = np.square(x.lengths)[:, None] + np.square(y.lengths) - 2 * products
                found.histogram[block] = cdist(x.histograms, y.histograms, "cityblock")
                bar.update(products.size)
    return found


class Block(NamedTuple):
    """Normalised pictures as rows (n, 3 H W), their lengths (n,), and their histograms (n, 512)."""

    pixels: Array
    lengths: Array
    histograms: Array


def _blocks(samples: Samples, height: int, width: int, step: int) -> Iterator[tuple[int, Block]]:
    """So many pictures at a time, with the place of the first."""
    for place, batch in enumerate(evaluation_batches(samples, height, width, step)):
        pictures = batch.numpy()
        pixels = pictures.reshape(len(pictures), -1)
        lengths = np.maximum(np.linalg.norm(pixels, axis=1), np.finfo(np.float32).tiny)
        yield place * step, Block(pixels, lengths, _histograms(pictures))


def _histograms(pictures: Array) -> Array:
    """(N, H, W, 3) -> (N, 512), shares of the pixels."""
    levels = denormalise(pictures).astype(np.int64) // (256 // BINS)
    colours = (levels[..., 0] * BINS + levels[..., 1]) * BINS + levels[..., 2]
    flat = colours.reshape(len(colours), -1)
    return np.stack([np.bincount(row, minlength=BINS**3) for row in flat]) / flat.shape[1]
