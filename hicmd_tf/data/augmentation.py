"""How the light and the sharpness of training pictures change, both as 8-bit levels, in NumPy, for every engine."""

from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

Array = np.ndarray[Any, Any]

LARGEST_BLUR = 1 / 64  # of the picture's height: the largest standard deviation of a blur
LEVELS = np.arange(256) / 255


def drawn_brightness(rng: np.random.Generator, count: int, strength: float) -> Array:
    """Gain and gamma of each of `count` pictures, (count, 2), both from 2^-strength to 2^strength, evenly in their
    logarithms."""
    return np.exp2(rng.uniform(-strength, strength, (count, 2)))


def drawn_blur(rng: np.random.Generator, count: int, height: int, probability: float) -> Array:
    """The standard deviation of each picture's blur, pixels, (count,), up to `LARGEST_BLUR` of the height; 0 says not
    blurred."""
    chosen = rng.random(count) < probability
    return np.where(chosen, rng.uniform(0, LARGEST_BLUR * height, count), 0.0)


def brighten(pictures: Array, brightness: Array) -> None:
    """Changes pictures uint8 (B, H, W, 3) in place: level x of 0 to 1 becomes gain x^gamma, at most 1. brightness:
    (B, 2), gain and gamma of each."""
    gains, gammas = brightness[:, :1], brightness[:, 1:]
    tables = np.rint(255 * np.minimum(gains * LEVELS**gammas, 1)).astype(np.uint8)
    for picture, table in zip(pictures, tables, strict=True):
        picture[:] = table[picture]


def blur(pictures: Array, deviations: Array) -> None:
    """Blurs pictures uint8 (B, H, W, 3) in place by a Gaussian, mirrored at the border. deviations: (B,), pixels."""
    for row in np.flatnonzero(deviations):
        width = deviations[row], deviations[row], 0
        pictures[row] = np.rint(gaussian_filter(pictures[row].astype(np.float32), width))
