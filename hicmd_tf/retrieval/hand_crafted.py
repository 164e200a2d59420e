"""Descriptors that were made by hand before networks learned them: HOG and LOMO, two rows of the paper's Table 1.

HOG: histograms of oriented gradients (Dalal and Triggs, Histograms of Oriented Gradients for Human Detection, CVPR
2005), by scikit-image. LOMO: local maximal occurrence (Liao, Hu, Zhu and Li, Person Re-Identification by Local Maximal
Occurrence Representation and Metric Learning, CVPR 2015), without the Retinex that its authors put before it and
without the metric that they learn. SILTP: scale-invariant local ternary patterns (Liao, Zhao, Kellokumpu, Pietikäinen
and Li, Modeling Pixel Process with Scale Invariant Local Patterns for Background Subtraction in Complex Scenes, CVPR
2010).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.errors import UserError

Array = np.ndarray[Any, Any]

LUMA = np.array([299, 587, 114])  # thousandths of R, G, B: whole numbers, so that patterns are compared exactly

ORIENTATIONS = 9  # HOG's bins over 180 degrees
CELL, CELLS = 8, 2  # pixels a side of HOG's cells, cells a side of its blocks

LOMO_SIZE = 128, 48
SCALES = 3
STEP = 5
COLOURS = 8  # bins for each of hue, saturation and value
RADII = 3, 5
PATTERNS = 3**4


def hog(picture: Array) -> Array:
    """Nine orientations in cells of 8 x 8 pixels; blocks of 2 x 2 cells, one cell apart, normalised by L2-Hys.

    Args:
        picture: uint8 (H, W, 3), RGB; its luma is described.

    Returns:
        float32 ((H // 8 - 1) * (W // 8 - 1) * 36,).

    Raises:
        UserError: when a picture has no room for a block.
    """
    from skimage import feature  # here: it is an extra package

    height, width = picture.shape[:2]
    if min(height, width) < CELL * CELLS:
        raise UserError(
            f"HOG describes blocks of {CELL * CELLS} x {CELL * CELLS} pixels, pictures have {height} x {width}: give "
            f"data.height and data.width of at least {CELL * CELLS}"
        )
    return feature.hog(
        picture @ LUMA / 1000, ORIENTATIONS, (CELL, CELL), cells_per_block=(CELLS, CELLS), block_norm="L2-Hys"
    ).astype(np.float32)


def lomo(picture: Array) -> Array:
    """In blocks of 10 x 10 pixels, 5 apart, joint histograms of hue, saturation and value, 8 bins each, and histograms
    of `siltp` with radii 3 and 5; of each bin the maximum over a row of blocks, wherever in the row it is. The same of
    the picture halved once and twice, by means of 2 x 2 pixels. log(1 + x) of all; colours and patterns to length 1.

    Args:
        picture: uint8 (H, W, 3), RGB, H and W at least 40; `LOMO_SIZE` in the paper.

    Returns:
        float32 (E,), colours first, then patterns, each scale by scale and row by row; 20,480 + 6,480 = 26,960 of
        128 x 48.
    """
    levels = picture.astype(np.int64)
    colours: list[Array] = []
    patterns: list[Array] = []
    for scale in range(SCALES):
        if scale:
            levels = _halved(levels)
        colours.append(_highest(hsv_bins(levels, 255 * 4**scale), COLOURS**3))
        grey = levels @ LUMA
        patterns.extend(_highest(siltp(grey, radius), PATTERNS) for radius in RADII)
    return np.concatenate([_weighed(colours), _weighed(patterns)]).astype(np.float32)


def hsv_bins(levels: Array, white: int) -> Array:
    """The joint bin of hue, saturation and value: 64 h + 8 s + v, each from 0 to 7; h and s are 0 of grey.

    Args:
        levels: (..., 3) whole numbers, RGB.
        white: the largest level.

    Returns:
        (...) from 0 to 511.
    """
    red, green, blue = np.moveaxis(levels, -1, 0)
    high, low = levels.max(axis=-1), levels.min(axis=-1)
    apart = np.maximum(high - low, 1)
    sixths = np.select(
        [high == red, high == green], [(green - blue) / apart % 6, (blue - red) / apart + 2], (red - green) / apart + 4
    )
    parts = sixths / 6, (high - low) / np.maximum(high, 1), high / white
    hue, saturation, value = (np.minimum((COLOURS * part).astype(np.int64), COLOURS - 1) for part in parts)
    return (hue * COLOURS + saturation) * COLOURS + value


def siltp(grey: Array, radius: int) -> Array:
    """Which of the neighbours at right, above, at left and below are brighter or darker than a pixel by more than 0.3
    of it: the sum over them of 3^i times 1 where neighbour i is brighter, 2 where it is darker. Pixels at the border go
    on outside.

    Args:
        grey: (H, W) whole numbers from 0, of any scale.
        radius: how far away the neighbours are, pixels.

    Returns:
        (H, W) from 0 to 80.
    """
    height, width = grey.shape
    around = np.pad(10 * grey, radius, mode="edge")
    codes = np.zeros_like(grey)
    for place, (down, right) in enumerate(((0, 1), (-1, 0), (0, -1), (1, 0))):
        top, left = radius * (1 + down), radius * (1 + right)
        neighbour = around[top : top + height, left : left + width]
        codes += 3**place * ((neighbour > 13 * grey) + 2 * (neighbour < 7 * grey))
    return codes


def _halved(levels: Array) -> Array:
    """Sums of 2 x 2 pixels, which stand for means: whatever reads them knows the scale or needs none."""
    height, width = (side // 2 * 2 for side in levels.shape[:2])
    rows = levels[:height:2, :width] + levels[1:height:2, :width]
    return rows[:, ::2] + rows[:, 1::2]


def _highest(codes: Array, bins: int) -> Array:
    """Codes (H, W) below `bins` -> (rows of blocks, bins): the largest count that a block of the row has."""
    down, right = (side // STEP for side in codes.shape)
    cells = np.arange(down).repeat(STEP)[:, None] * right + np.arange(right).repeat(STEP)
    inside = codes[: down * STEP, : right * STEP]
    counts = np.bincount((cells * bins + inside).ravel(), minlength=down * right * bins).reshape(down, right, bins)
    pairs = counts[:-1] + counts[1:]
    return (pairs[:, :-1] + pairs[:, 1:]).max(axis=1)  # a block is four cells


def _weighed(counts: list[Array]) -> Array:
    logarithms = np.log1p(np.concatenate([one.ravel() for one in counts]))
    return logarithms / np.linalg.norm(logarithms)


class HandCrafted(NamedTuple):
    """describe: a picture, uint8 (H, W, 3) -> its descriptor (E,). size: that pictures are given in; None is the
    configuration's."""

    describe: Callable[[Array], Array]
    size: tuple[int, int] | None


HAND_CRAFTED = {"hog": HandCrafted(hog, None), "lomo": HandCrafted(lomo, LOMO_SIZE)}
"""By name; compared by Euclidean distance."""
