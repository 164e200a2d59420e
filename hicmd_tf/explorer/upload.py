"""A picture that someone hands in: bounded before it is decoded, refused in one line."""

from typing import Any

import numpy as np
import tensorflow as tf

from hicmd_tf.data.bounds import flaw_of
from hicmd_tf.data.pictures import decode
from hicmd_tf.data.usable import libraries_silent
from hicmd_tf.errors import UserError

Array = np.ndarray[Any, Any]

LARGEST_BYTES = 20 << 20
"""Of an upload; less than of a file of one's own, as it comes by the browser and is held twice."""


def picture_of(content: bytes, height: int, width: int) -> Array:
    """A file's content -> uint8 (height, width, 3), upright.

    Raises UserError for more than `LARGEST_BYTES` or `bounds.LARGEST_PIXELS`, and for anything but a whole picture of
    `bounds.FORMATS`.
    """
    check_bytes(len(content))
    flaw = flaw_of(content)
    if flaw is not None:
        raise UserError(f"the picture {flaw}: choose another one, a whole PNG, JPEG or BMP")
    try:
        with libraries_silent():
            return decode(tf.constant(content), height, width).numpy()
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
        raise UserError("the picture is damaged or cut short: choose a whole file") from error


def check_bytes(size: int) -> None:
    """Raises UserError for a file of more than `LARGEST_BYTES`."""
    if size > LARGEST_BYTES:
        raise UserError(
            f"the file has {size / 2**20:.1f} MiB, expected at most {LARGEST_BYTES >> 20}: choose a smaller one"
        )
