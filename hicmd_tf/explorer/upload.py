"""A picture that someone hands in: bounded before it is decoded, refused in one line."""

import io
import warnings
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from hicmd_tf.data.pictures import decode
from hicmd_tf.errors import UserError

Array = np.ndarray[Any, Any]

LARGEST_BYTES = 20 << 20
LARGEST_PIXELS = 25_000_000
FORMATS = ("PNG", "JPEG", "BMP")


def picture_of(content: bytes, height: int, width: int) -> Array:
    """A file's content -> uint8 (height, width, 3), upright.

    Raises UserError for more than `LARGEST_BYTES` or `LARGEST_PIXELS`, and for anything but a whole PNG, JPEG or BMP.
    """
    check_bytes(len(content))
    columns, rows = _size(content)
    if columns * rows > LARGEST_PIXELS:
        raise UserError(
            f"the picture has {columns} x {rows} pixels, expected at most {LARGEST_PIXELS // 10**6} million: "
            f"choose a smaller one"
        )
    try:
        return decode(tf.constant(content), height, width).numpy()
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
        raise UserError("the picture is damaged or cut short: choose a whole file") from error


def check_bytes(size: int) -> None:
    """Raises UserError for a file of more than `LARGEST_BYTES`."""
    if size > LARGEST_BYTES:
        raise UserError(
            f"the file has {size / 2**20:.1f} MiB, expected at most {LARGEST_BYTES >> 20}: choose a smaller one"
        )


def _size(content: bytes) -> tuple[int, int]:
    """Columns and rows by the file's head, which decodes no pixel."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its pixels are counted here
            return Image.open(io.BytesIO(content), formats=FORMATS).size
    except Image.DecompressionBombError as error:
        raise UserError("the picture has far too many pixels: choose a smaller one") from error
    except (OSError, ValueError, SyntaxError, OverflowError) as error:
        raise UserError("the file is no picture that can be read: choose a whole PNG, JPEG or BMP") from error
