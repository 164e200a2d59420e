"""Bicubic resizing with antialiasing, by TensorFlow: imported only where a picture has another size.

As the release does with PIL; TensorFlow's and PIL's results differ by rounding only, two grey levels at most.
"""

from typing import Any

import numpy as np
import tensorflow as tf

Array = np.ndarray[Any, Any]


def resize(pictures: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """uint8 pictures (..., H, W, 3) of any size -> uint8 (..., height, width, 3)."""
    resized = tf.image.resize(pictures, (height, width), method="bicubic", antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


def resized(picture: Array, height: int, width: int) -> Array:
    """One picture, uint8 (H, W, 3) -> uint8 (height, width, 3)."""
    with tf.device("CPU:0"):  # on a GPU it would wait for what is computed there
        return _resized(picture, height, width).numpy()


@tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8), *[tf.TensorSpec((), tf.int32)] * 2])
def _resized(picture: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    return resize(picture, height, width)
