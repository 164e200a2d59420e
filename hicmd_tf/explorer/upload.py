"""A picture that someone hands in: bounded before it is decoded, refused in one line."""

from typing import Any

import numpy as np

from hicmd_tf.data.pictures import fitted
from hicmd_tf.errors import UserError
from hicmd_tf.pictures.bounds import BadPictureError

Array = np.ndarray[Any, Any]

LARGEST_BYTES = 20 << 20
"""Of an upload; less than of a file of one's own, as it comes by the browser and is held twice."""


def picture_of(content: bytes, height: int, width: int, sixteen_bit: str = "") -> Array:
    """A file's content -> uint8 (height, width, 3), upright. sixteen_bit: as the setting.

    Raises UserError for more than `LARGEST_BYTES` or `bounds.LARGEST_PIXELS`, and for anything but a whole picture of
    `bounds.FORMATS`.
    """
    check_bytes(len(content))
    try:
        return fitted(content, height, width, sixteen_bit)
    except BadPictureError as error:
        raise UserError(f"the picture {error.told('choose another one')}") from error


def check_bytes(size: int) -> None:
    """Raises UserError for a file of more than `LARGEST_BYTES`."""
    if size > LARGEST_BYTES:
        raise UserError(
            f"the file has {size / 2**20:.1f} MiB, expected at most {LARGEST_BYTES >> 20}: choose a smaller one"
        )
