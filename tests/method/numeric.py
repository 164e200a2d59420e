"""Arrays, derivatives and naive loops that tests of the method compare with."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import pytest

Array = np.ndarray[Any, Any]


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def value_and_gradients(function: Callable[..., Any], arrays: Sequence[Array], dtype: str = "float64") -> list[Array]:
    """The value, and the gradients of its sum weighted randomly: a plain sum of normalised numbers has none."""
    import tensorflow as tf  # here: tests of JAX's engine use the rest

    tensors = [tf.constant(array, dtype) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = function(*tensors)
        total = tf.reduce_sum(y * tf.constant(draw(*y.shape, seed=9), dtype))
    return [np.asarray(tensor) for tensor in (y, *tape.gradient(total, tensors))]


def of_windows(x: Array, size: int, stride: int, dilation: int, reduce: Callable[[Array], Array]) -> Array:
    """(B, H, W, C) -> (B, h, w, F): one window (B, size, size, C) after another, reduced to (B, F)."""
    reach = dilation * (size - 1)
    height, width = ((length - reach - 1) // stride + 1 for length in x.shape[1:3])
    tops, lefts = stride * np.arange(height), stride * np.arange(width)
    rows = [
        np.stack([reduce(x[:, t : t + reach + 1 : dilation, s : s + reach + 1 : dilation]) for s in lefts], axis=1)
        for t in tops
    ]
    return np.stack(rows, axis=1)


def naive_convolution(x: Array, kernel: Array, stride: int = 1, dilation: int = 1) -> Array:
    """A valid convolution by a kernel (k, k, C, F)."""
    return of_windows(x, len(kernel), stride, dilation, lambda window: np.tensordot(window, kernel, axes=3))


def padded(x: Array, pad: int, mode: Any = "constant", **more: Any) -> Array:
    """(B, H, W, C) with a border of so many pixels."""
    return np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode, **more)


@contextmanager
def zero_weights() -> Iterator[None]:
    """Networks built inside begin with zeros instead of 100 million random numbers."""
    zeros = keras.initializers.Zeros()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            keras.initializers.VarianceScaling, "__call__", lambda self, shape, dtype=None: zeros(shape, dtype)
        )
        yield
