"""Random erasing of HFL's inputs; the boxes are drawn with the batch (`data.batches`)."""

from keras import ops

from hicmd_tf.notation import Tensor


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
