"""Rows that need no learning: chance, and nearest neighbours by raw pixels, colour histograms, HOG and LOMO."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from tqdm import tqdm

from hicmd_tf.data.batches import evaluation_batches
from hicmd_tf.data.pictures import denormalise, picture
from hicmd_tf.data.samples import Samples, ahead
from hicmd_tf.data.searches import Search
from hicmd_tf.notation import VISIBLE
from hicmd_tf.retrieval.chance import chance
from hicmd_tf.retrieval.evaluation import by_direction, labels, spread
from hicmd_tf.retrieval.hand_crafted import HAND_CRAFTED, HandCrafted
from hicmd_tf.retrieval.metrics import score_distances, summary
from hicmd_tf.retrieval.report import NAMES

Array = np.ndarray[Any, Any]

BINS = 8  # a channel
SIMPLE = ("chance", "raw_pixels", "colour_histogram")
BLOCK_BYTES = 2**29
"""Of normalised infrared pictures, or descriptors, that visible ones are compared with at a time."""
BATCH = 64
"""Visible pictures at a time."""
KINDS = ("cosine", "euclidean", "colour_histogram")

Figures = dict[str, dict[str, float]]  # direction -> name -> fraction
Size = tuple[int, int]


def simple_figures(samples: Samples, searches: Iterable[Search], height: int, width: int) -> dict[str, Figures]:
    """`SIMPLE` -> direction -> figures of the first search of each direction, means over its galleries.

    raw_pixels: cosine or Euclidean distance of normalised pixels, whichever gives the better rank-1 in a direction.
    colour_histogram: L1 distance of joint histograms with 8 x 8 x 8 bins. Raises UserError as `metrics.score` does.
    """
    asked = by_direction(searches)
    found = _judged(samples, asked, lambda visible, infrared: _distances(visible, infrared, height, width))
    random = {
        direction: spread([chance(*labels(samples, search, rows)) for rows in search.galleries])[0]
        for direction, search in asked.items()
    }
    pixels = {
        direction: max((found[name][direction] for name in ("cosine", "euclidean")), key=lambda means: means["rank1"])
        for direction in asked
    }
    return {"chance": random, "raw_pixels": pixels, "colour_histogram": found["colour_histogram"]}


def hand_crafted_figures(
    samples: Samples, searches: Iterable[Search], height: int, width: int, names: Collection[str] = tuple(HAND_CRAFTED)
) -> dict[str, Figures]:
    """Some of `HAND_CRAFTED` -> the same by the Euclidean distance of its descriptors: minutes for some thousands of
    pictures. Raises UserError as `metrics.score` and the descriptors do."""

    def compared(visible: Samples, infrared: Samples) -> dict[str, Array]:
        return {
            name: _apart(visible, infrared, kind, kind.size or (height, width), NAMES[name])
            for name, kind in HAND_CRAFTED.items()
            if name in names
        }

    return _judged(samples, by_direction(searches), compared)


def _judged(
    samples: Samples, asked: Mapping[str, Search], compare: Callable[[Samples, Samples], dict[str, Array]]
) -> dict[str, Figures]:
    """Name -> direction -> mean figures of a search by each direction's distances. compare: visible and infrared
    pictures -> name -> distances (V, I)."""
    needed = np.unique(np.concatenate([rows for one in asked.values() for rows in (one.queries, *one.galleries)]))
    visible, infrared = (needed[samples.infrared[needed] == of] for of in (False, True))
    found = compare(samples.select(visible), samples.select(infrared))
    results: dict[str, Figures] = {name: {} for name in found}
    for direction, search in asked.items():
        query, gallery = (visible, infrared) if search.direction.query == VISIBLE else (infrared, visible)
        for name, distances in found.items():
            turned = distances if query is visible else distances.T
            trials = []
            for rows in search.galleries:
                cells = np.ix_(np.searchsorted(query, search.queries), np.searchsorted(gallery, rows))
                trials.append(summary(score_distances(turned[cells], *labels(samples, search, rows))))
            results[name][direction] = spread(trials)[0]
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


def _apart(visible: Samples, infrared: Samples, kind: HandCrafted, size: Size, name: str) -> Array:
    """Squared Euclidean distances of descriptors, (V, I) float32, in blocks: descriptors are never all in memory. Equal
    ones are equally far from all others, whatever products round."""
    entries = len(kind.describe(np.zeros((*size, 3), np.uint8)))
    step = max(1, BLOCK_BYTES // (4 * entries))
    found = np.empty((len(visible), len(infrared)), np.float32)
    originals = [np.empty(shape, np.int64) for shape in found.shape]
    seen: list[dict[bytes, int]] = [{}, {}]
    total = len(infrared) + len(visible) * -(-len(infrared) // step)
    with tqdm(total=total, desc=f"describing by {name}", unit="picture", leave=False) as bar:

        def described(samples: Samples, side: int, most: int) -> Iterator[tuple[slice, Array]]:
            one_by_one = ahead(lambda row: kind.describe(picture(samples, row, *size)), range(len(samples)))
            for start in range(0, len(samples), most):
                rows = range(start, min(start + most, len(samples)))
                block = np.empty((len(rows), entries), np.float32)
                for row in rows:
                    block[row - start] = vector = next(one_by_one)
                    digest = hashlib.blake2b(vector.tobytes(), digest_size=16).digest()
                    originals[side][row] = seen[side].setdefault(digest, row)
                    bar.update()
                yield slice(start, rows.stop), block

        for columns, y in described(infrared, 1, step):
            for rows, x in described(visible, 0, BATCH):
                found[rows, columns] = np.add.outer(*(np.square(of).sum(axis=1) for of in (x, y))) - 2 * x @ y.T
    return found[np.ix_(*originals)]


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
