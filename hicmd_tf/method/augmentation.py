"""Changes of training pictures that a batch says (`data.batches`): cut, erased, with other channels."""

from typing import Any

import numpy as np
from keras import ops

from hicmd_tf.data.batches import UNCHANGED
from hicmd_tf.data.pictures import DEVIATION, MEAN
from hicmd_tf.notation import Tensor

BLACK = -MEAN / DEVIATION
"""A black pixel, normalised."""
LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey."""


def cut(batch: dict[str, Any]) -> dict[str, Any]:
    """The batch with its pictures cut as its `shifts` say, by the pictures' name; without shifts as it is."""
    shifts = batch.get("shifts", {})
    return {**batch, **{name: shifted(batch[name], of) for name, of in shifts.items()}}


def shifted(x: Tensor, shifts: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) moved down and right by shifts (B, 2), pixels, with black where nothing was: what is cut
    at random of pictures with a black border."""
    if x.shape[0] == 0:  # a batch without negatives; of no pictures JAX can take none
        return x
    batch, height, width, channels = ops.shape(x)
    rows = ops.arange(height, dtype="int32")[None] - shifts[:, 0, None]  # (B, H), of the old picture
    columns = ops.arange(width, dtype="int32")[None] - shifts[:, 1, None]  # (B, W)
    inside = ops.logical_and(
        ops.logical_and(rows >= 0, rows < height)[:, :, None],
        ops.logical_and(columns >= 0, columns < width)[:, None, :],
    )
    pictures = ops.arange(batch, dtype="int32")[:, None, None] * (height * width)
    places = pictures + ops.clip(rows, 0, height - 1)[:, :, None] * width + ops.clip(columns, 0, width - 1)[:, None, :]
    moved = ops.take(ops.reshape(x, (-1, channels)), places, axis=0)
    return ops.where(inside[..., None], moved, ops.convert_to_tensor(BLACK, x.dtype))


def changed(x: Tensor, name: str, batch: dict[str, Any]) -> Tensor:
    """Pictures (B, H, W, 3) erased, and last with other channels (CAJ's order), as the batch says of that name."""
    erased = erase(x, batch["erasing"][name])
    channels = batch.get("channels", {})
    return with_channels(erased, channels[name]) if name in channels else erased


def erase(images: Tensor, boxes: Tensor) -> Tensor:
    """images (B, H, W, 3) with each one's box set to 0, the mean colour.

    boxes: (B, 4) ints, top, left, height, width in pixels; height 0: no box.
    """
    _, height, width, _ = ops.shape(images)
    top, left, box_height, box_width = (boxes[:, i, None] for i in range(4))  # (B, 1) each
    rows = ops.arange(height, dtype="int32")[None]
    columns = ops.arange(width, dtype="int32")[None]
    in_rows = ops.logical_and(rows >= top, rows < top + box_height)  # (B, H)
    in_columns = ops.logical_and(columns >= left, columns < left + box_width)  # (B, W)
    inside = ops.logical_and(in_rows[:, :, None], in_columns[:, None, :])  # (B, H, W)
    return ops.where(inside[..., None], ops.zeros_like(images), images)


def with_channels(x: Tensor, channels: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) that show in all channels what channels (B,) say: 0 what they showed, 1 to 3 red, green or
    blue, 4 grey."""
    shares = np.concatenate([np.zeros((1, 3)), np.eye(3), [LUMA]])  # unchanged, red, green, blue, grey
    of_each = ops.take(ops.convert_to_tensor(shares, x.dtype), channels, axis=0)  # (B, 3)
    picked = ops.sum(x * of_each[:, None, None, :], axis=-1, keepdims=True)  # exact, unlike matrix products
    return ops.where(ops.equal(channels, UNCHANGED)[:, None, None, None], x, picked)
