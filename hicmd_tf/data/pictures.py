"""From encoded pictures to the networks' input: decoding, resizing, normalising."""

from typing import Any

import numpy as np
import tensorflow as tf

from hicmd_tf.data.orientation import upright
from hicmd_tf.data.samples import Samples

Array = np.ndarray[Any, Any]

# ImageNet's colours, RGB of [0, 1]: pictures are normalised with them, and generated ones live in the same space.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def decode(encoded: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """An encoded PNG, JPEG or BMP (scalar string) -> uint8 (height, width, 3); grey pictures get three equal channels.

    Another size is resized bicubically with antialiasing, as the release does with PIL; TensorFlow's and PIL's results
    differ by rounding only, two grey levels at most.
    """
    picture = decode_any(encoded)
    shape = tf.shape(picture)
    fits = tf.logical_and(shape[0] == height, shape[1] == width)
    picture = tf.cond(fits, lambda: picture, lambda: resize(picture, height, width))
    return tf.ensure_shape(picture, (height, width, 3))


def decoded(samples: Samples, height: int, width: int) -> Array:
    """All pictures of the samples, uint8 (N, height, width, 3)."""
    found = np.empty((len(samples), height, width, 3), np.uint8)
    for row, encoded in enumerate(samples.encoded):
        found[row] = decode(tf.constant(encoded), height, width).numpy()
    return found


def decode_any(encoded: tf.Tensor) -> tf.Tensor:
    """An encoded PNG, JPEG or BMP (scalar string) -> uint8 (H, W, 3) in its own size, upright; alpha is left out."""
    return upright(tf.io.decode_image(encoded, channels=3, expand_animations=False), encoded)


def resize(picture: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """uint8 pictures (..., H, W, 3) of any size -> uint8 (..., height, width, 3), bicubically with antialiasing."""
    resized = tf.image.resize(picture, (height, width), method="bicubic", antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


def normalise(pictures: tf.Tensor) -> tf.Tensor:
    """(..., 3) of 0 to 255 -> float32, about -2 to 2.6."""
    return tf.cast(pictures, tf.float32) * (1 / (255 * DEVIATION)) - MEAN / DEVIATION


def denormalise(pictures: Array) -> Array:
    """Normalised (..., 3) -> uint8, clipped to what can be shown."""
    return np.clip(np.round(255 * (pictures * DEVIATION + MEAN)), 0, 255).astype(np.uint8)
