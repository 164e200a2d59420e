"""Training pictures cut at random, as the batch says (`data.batches`)."""

from typing import Any

from keras import ops

from hicmd_tf.data.pictures import DEVIATION, MEAN
from hicmd_tf.notation import Tensor

BLACK = -MEAN / DEVIATION
"""A black pixel, normalised."""


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
