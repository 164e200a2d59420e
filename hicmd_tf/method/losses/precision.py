"""The precision losses are computed in."""

import keras
from keras import ops

from hicmd_tf.notation import Tensor


def accurate(x: Tensor) -> Tensor:
    """x in float32, or in float64 if it comes so: half precision is too coarse for means, squares and exponentials."""
    x = ops.convert_to_tensor(x)
    return x if keras.backend.standardize_dtype(x.dtype) == "float64" else ops.cast(x, "float32")
