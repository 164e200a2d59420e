"""Changes of training pictures, drawn with the batch (`data.identity_batches`): erased, other channels."""

from typing import Any

import numpy as np
from keras import ops

from hicmd_tf.data.identity_batches import UNCHANGED
from hicmd_tf.embedding.networks import LUMA
from hicmd_tf.method.identification import erase
from hicmd_tf.notation import Modality, Tensor


def augmented(batch: dict[str, Any], modality: Modality) -> Tensor:
    """A batch's pictures of a modality (B, H, W, 3), erased, and last with other channels (CAJ's order)."""
    x = erase(batch[modality], batch["erasing"][modality])
    return with_channels(x, batch["channels"][modality])


def with_channels(x: Tensor, channels: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) that show in all channels what channels (B,) say: 0 what they showed, 1 to 3 red, green or
    blue, 4 grey."""
    shares = np.concatenate([np.zeros((1, 3)), np.eye(3), [LUMA]])  # unchanged, red, green, blue, grey
    of_each = ops.take(ops.convert_to_tensor(shares, x.dtype), channels, axis=0)  # (B, 3)
    picked = ops.sum(x * of_each[:, None, None, :], axis=-1, keepdims=True)  # exact, unlike matrix products
    return ops.where(ops.equal(channels, UNCHANGED)[:, None, None, None], x, picked)
