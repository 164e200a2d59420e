"""From encoded pictures to the networks' input: decoding, resizing, normalising."""

from typing import Any

import numpy as np
import tensorflow as tf

from hicmd_tf.data.orientation import upright
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError

Array = np.ndarray[Any, Any]

# ImageNet's colours, RGB of [0, 1]: pictures are normalised with them, and generated ones live in the same space.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)

CHECKED_AT_ONCE = 256


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


def check(samples: Samples) -> None:
    """Decodes every picture once. Raises UserError naming the first that can't be decoded, and how many there are."""
    whole = [w for start in range(0, len(samples), CHECKED_AT_ONCE) for w in decodable(_chunk(samples, start))]
    bad = [name for name, good in zip(samples.names, whole, strict=True) if not good]
    if bad:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise UserError(
            f"picture {bad[0]}{more} can't be decoded, expected a whole PNG, JPEG or BMP: replace it or take it out of "
            f"the data set (what was prepared in data.directory is made again when its folder there is deleted)"
        )


def _chunk(samples: Samples, start: int) -> list[bytes]:
    return list(samples.encoded[start : start + CHECKED_AT_ONCE])


def decodable(encoded: list[bytes]) -> list[bool]:
    """For each of about `CHECKED_AT_ONCE` pictures whether it decodes; looks at each alone only when one does not."""
    return [True] * len(encoded) if _all_decode(encoded) else [_all_decode([one]) for one in encoded]


@tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
def _pixels(encoded: tf.Tensor) -> tf.Tensor:
    def count(one: tf.Tensor) -> tf.Tensor:
        return tf.size(decode_any(one))

    return tf.map_fn(count, encoded, fn_output_signature=tf.int32)


def _all_decode(encoded: list[bytes]) -> bool:
    try:
        _pixels(tf.constant(encoded, tf.string))
    except tf.errors.InvalidArgumentError:
        return False
    return True
