"""From encoded pictures to the networks' input: resized as everywhere, and normalised. In NumPy, for every engine."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from hicmd_tf.data.samples import Samples, ahead
from hicmd_tf.errors import UserError
from hicmd_tf.pictures.bounds import BadPictureError
from hicmd_tf.pictures.decode import decode

Array = np.ndarray[Any, Any]

# ImageNet's colours, RGB of [0, 1]: pictures are normalised with them, and generated ones live in the same space.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
SCALE, SHIFT = 1 / (255 * DEVIATION), MEAN / DEVIATION


def fitted(encoded: bytes, height: int, width: int, sixteen_bit: str = "") -> Array:
    """A file's content -> uint8 (height, width, 3), upright. sixteen_bit: as the setting.

    Another size is resized (`pictures.resizing`). Raises BadPictureError as `pictures.decode` does.
    """
    picture = decode(encoded, sixteen_bit)
    if picture.shape[:2] == (height, width):
        return picture
    from hicmd_tf.pictures.resizing import resized  # here: it imports TensorFlow

    return resized(picture, height, width)


def picture(samples: Samples, row: int, height: int = 0, width: int = 0) -> Array:
    """A row as `fitted`, or in its own size. Raises UserError where it is damaged: what was checked can be since."""
    try:
        content = samples.encoded[row]
        return fitted(content, height, width, samples.sixteen_bit) if height else decode(content, samples.sixteen_bit)
    except BadPictureError as error:
        raise UserError(f"picture {samples.names[row]} {error.told('copy it again')}") from error


def pictures(samples: Samples, height: int = 0, width: int = 0) -> Iterator[Array]:
    """All of them in order, as `picture`, decoded ahead."""
    return ahead(lambda row: picture(samples, row, height, width), range(len(samples)))


def decoded(samples: Samples, height: int, width: int) -> Array:
    """All pictures of the samples, uint8 (N, height, width, 3)."""
    found = np.empty((len(samples), height, width, 3), np.uint8)
    for row, one in enumerate(pictures(samples, height, width)):
        found[row] = one
    return found


def normalise(pictures: Any) -> Any:
    """(..., W, 3) of 0 to 255 -> about -2 to 2.6: float32 of NumPy's uint8. An engine's tensors must be floats."""
    if not isinstance(pictures, np.ndarray):
        return pictures * SCALE - SHIFT
    width = pictures.shape[-2]  # NumPy takes a sixth of the time for whole rows of pixels at once
    levels = pictures.reshape(*pictures.shape[:-2], 3 * width) * np.tile(SCALE, width)
    levels -= np.tile(SHIFT, width)
    return levels.reshape(pictures.shape)


def denormalise(pictures: Array) -> Array:
    """Normalised (..., 3) -> uint8, clipped to what can be shown."""
    return np.clip(np.round(255 * (pictures * DEVIATION + MEAN)), 0, 255).astype(np.uint8)
