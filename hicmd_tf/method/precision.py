"""Which precision numbers are computed in: large maps in a run's own, everything else in at least float32."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
from keras import ops

from hicmd_tf.notation import Tensor

FULL_PRECISION = "float32"


def accurate(x: Tensor) -> Tensor:
    """x in float32, or in float64 if it comes so: half precision is too coarse for means, squares and exponentials."""
    x = ops.convert_to_tensor(x)
    return x if keras.backend.standardize_dtype(x.dtype) == "float64" else ops.cast(x, "float32")


def full_precision() -> str:
    """The type that layers outside the large maps compute in: that of variables, float32 under a mixed policy."""
    return str(keras.config.dtype_policy().variable_dtype)


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Networks built inside compute their large maps in a precision of `TrainingConfig`."""
    before = keras.config.dtype_policy()
    if precision != FULL_PRECISION:
        keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
