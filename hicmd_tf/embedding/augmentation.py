"""Changes of training pictures, drawn with the batch (`data.identity_batches`): cut, erased, other channels."""

from typing import Any

import numpy as np
from keras import ops

from hicmd_tf.data.identity_batches import UNCHANGED
from hicmd_tf.data.pictures import DEVIATION, MEAN
from hicmd_tf.embedding.networks import LUMA
from hicmd_tf.method.identification import erase
from hicmd_tf.notation import Modality, Tensor

BLACK = -MEAN / DEVIATION
"""A black pixel, normalised."""


def augmented(batch: dict[str, Any], modality: Modality) -> Tensor:
    """A batch's pictures of a modality (B, H, W, 3), cut, erased, and last with other channels (CAJ's order)."""
    x = shifted(batch[modality], batch["shifts"][modality])
    x = erase(x, batch["erasing"][modality])
    return with_channels(x, batch["channels"][modality])


def shifted(x: Tensor, shifts: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) moved down and right by shifts (B, 2), pixels, with black where nothing was: what is cut
    at random of pictures with a black border."""
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


def with_channels(x: Tensor, channels: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) that show in all channels what channels (B,) say: 0 what they showed, 1 to 3 red, green or
    blue, 4 grey."""
    shares = np.concatenate([np.zeros((1, 3)), np.eye(3), [LUMA]])  # unchanged, red, green, blue, grey
    of_each = ops.take(ops.convert_to_tensor(shares, x.dtype), channels, axis=0)  # (B, 3)
    picked = ops.sum(x * of_each[:, None, None, :], axis=-1, keepdims=True)  # exact, unlike matrix products
    return ops.where(ops.equal(channels, UNCHANGED)[:, None, None, None], x, picked)
