"""From encoded pictures to the networks' input: resized as everywhere, and normalised."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from hicmd_tf.data.samples import Samples, ahead
from hicmd_tf.errors import UserError
from hicmd_tf.pictures.bounds import BadPictureError
from hicmd_tf.pictures.decode import decode

Array = np.ndarray[Any, Any]

# ImageNet's colours, RGB of [0, 1]: pictures are normalised with them, and generated ones live in the same space.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def fitted(encoded: bytes, height: int, width: int, sixteen_bit: str = "") -> Array:
    """A file's content -> uint8 (height, width, 3), upright. sixteen_bit: as the setting.

    Another size is resized bicubically with antialiasing, as the release does with PIL; TensorFlow's and PIL's results
    differ by rounding only, two grey levels at most. Raises BadPictureError as `pictures.decode` does.
    """
    picture = decode(encoded, sixteen_bit)
    if picture.shape[:2] == (height, width):
        return picture
    with tf.device("CPU:0"):  # on a GPU it would wait for what is computed there
        return _resized(picture, height, width).numpy()


def picture(samples: Samples, row: int, height: int, width: int) -> Array:
    """A row as `fitted`. Raises UserError where it is damaged: what was checked can be since."""
    try:
        return fitted(samples.encoded[row], height, width, samples.sixteen_bit)
    except BadPictureError as error:
        raise UserError(f"picture {samples.names[row]} {error.told('copy it again')}") from error


def pictures(samples: Samples, height: int, width: int) -> Iterator[Array]:
    """All of them in order, decoded ahead."""
    return ahead(lambda row: picture(samples, row, height, width), range(len(samples)))


def decoded(samples: Samples, height: int, width: int) -> Array:
    """All pictures of the samples, uint8 (N, height, width, 3)."""
    found = np.empty((len(samples), height, width, 3), np.uint8)
    for row, one in enumerate(pictures(samples, height, width)):
        found[row] = one
    return found


def resize(picture: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """uint8 pictures (..., H, W, 3) of any size -> uint8 (..., height, width, 3), bicubically with antialiasing."""
    resized = tf.image.resize(picture, (height, width), method="bicubic", antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


@tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8), *[tf.TensorSpec((), tf.int32)] * 2])
def _resized(picture: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    return resize(picture, height, width)


def normalise(pictures: tf.Tensor) -> tf.Tensor:
    """(..., 3) of 0 to 255 -> float32, about -2 to 2.6."""
    return tf.cast(pictures, tf.float32) * (1 / (255 * DEVIATION)) - MEAN / DEVIATION


def denormalise(pictures: Array) -> Array:
    """Normalised (..., 3) -> uint8, clipped to what can be shown."""
    return np.clip(np.round(255 * (pictures * DEVIATION + MEAN)), 0, 255).astype(np.uint8)
