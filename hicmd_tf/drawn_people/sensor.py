"""The camera's sensor: optics' blur, vignette, gamma, noise, grey levels."""

import numpy as np

from hicmd_tf.config.schema import SyntheticConfig
from hicmd_tf.drawn_people.arithmetic import BELL_DEVIATION, Array, Draws
from hicmd_tf.drawn_people.camera import CameraModel
from hicmd_tf.drawn_people.shading import Spectrum

VEIL = 0.3
"""Largest share of white that stray light adds at exposure 1."""
BLUR_HEIGHT = 128
"""Pictures get one pass of blur for each so many rows; of heat, two: lenses for heat resolve little."""


def expose(linear: Array, draws: Draws, camera: CameraModel, spectrum: Spectrum, config: SyntheticConfig) -> Array:
    """Grey levels, (H, W, 3) uint8, of linear brightness (C, H, W) float32; one channel fills all three.

    Of the settings it takes noise, the vignette's share of clutter and the veiling glare of exposure.
    """
    thermal = spectrum == "thermal"
    passes = max(linear.shape[1] * (2 if thermal else 1) // BLUR_HEIGHT, 1)
    strength = 0.18 if thermal else camera.blur * draws.uniform(0.5, 1.5)
    for _ in range(passes):
        linear = _blur(linear, strength)
    linear = linear * _vignette(draws, linear.shape[1], linear.shape[2], config.clutter)
    linear = linear + np.float32(draws.uniform(0, VEIL * config.exposure))
    # the square root is the display's gamma, of 2 because a root is exact
    levels = np.sqrt(np.minimum(linear, np.float32(1))) * np.float32(255)
    deviation = config.noise * camera.noise
    if deviation:
        levels = levels + draws.bell(*levels.shape) * np.float32(deviation / BELL_DEVIATION)
    grey = np.minimum(np.maximum(np.floor(levels + np.float32(0.5)), 0), 255).astype(np.uint8)
    planes = grey if len(grey) == 3 else np.repeat(grey, 3, axis=0)
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


def _blur(planes: Array, strength: float) -> Array:
    """Each pixel gives `strength` of itself to either neighbour, down and across; the rim keeps its own."""
    share, rest = np.float32(strength), np.float32(1 - 2 * strength)
    for axis in (1, 2):
        padded = np.pad(planes, [(1, 1) if axis == i else (0, 0) for i in range(3)], mode="edge")
        before, after = (padded[:, :-2], padded[:, 2:]) if axis == 1 else (padded[:, :, :-2], padded[:, :, 2:])
        planes = planes * rest + (before + after) * share
    return planes


def _vignette(draws: Draws, height: int, width: int, strength: float) -> Array:
    x = np.arange(width, dtype=np.float32) * np.float32(1 / width) - np.float32(draws.uniform(0.3, 0.7))
    y = np.arange(height, dtype=np.float32)[:, None] * np.float32(1 / height) - np.float32(draws.uniform(0.2, 0.8))
    return 1 - (x * x + y * y) * np.float32(strength * draws.uniform(0.0, 0.8))
