"""From encoded pictures to the networks' input."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hicmd_tf.data.pictures import denormalise, fitted, normalise
from hicmd_tf.pictures.decode import as_png


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth shapes and an edge, uint8 (height, width, 3)."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (5 + seed + c)) + np.cos(y / (7 - c)) + (x > width / 3) for c in range(3)]
    return np.clip(np.stack(waves, -1) * 60 + 90, 0, 255).astype(np.uint8)


def test_a_picture_of_the_right_size_keeps_every_bit() -> None:
    pixels = picture(12, 8)
    np.testing.assert_array_equal(fitted(as_png(pixels), 12, 8), pixels)


@pytest.mark.parametrize("size", [(48, 24), (200, 90), (128, 64), (31, 77)])
def test_other_sizes_are_resized_as_pillow_does(size: tuple[int, int]) -> None:
    pixels = picture(*size)
    reference = Image.fromarray(pixels).resize((32, 64), Image.Resampling.BICUBIC)
    difference = fitted(as_png(pixels), 64, 32).astype(int) - np.asarray(reference)
    assert np.abs(difference).max() <= 2  # Pillow rounds between its two passes
    assert np.abs(difference).mean() < 0.25


def test_normalised_pictures_come_back() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, -1)
    normalised = normalise(pixels)
    np.testing.assert_allclose(normalised[0, 0, 0], -np.array([0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225], rtol=1e-6)
    assert normalised.dtype == np.float32
    np.testing.assert_array_equal(denormalise(normalised), pixels)


def test_a_graph_normalises_to_the_same_bits() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 12, 8, 3), np.uint8)
    np.testing.assert_array_equal(tf.function(normalise)(tf.cast(pixels, tf.float32)), normalise(pixels), strict=True)


def test_what_cannot_be_shown_is_clipped() -> None:
    assert denormalise(np.array([[9.0, -9.0, 0.0]])).tolist() == [[255, 0, 104]]
