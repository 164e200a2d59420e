"""A descriptor as a function of NumPy arrays, and functions that read Keras' variables, compiled."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hicmd_tf.method.descriptor import Describing
from hicmd_tf.notation import Modality, Tensor

Array = np.ndarray[Any, Any]


def compiled(function: Callable[..., Any], variables: Sequence[keras.Variable]) -> Callable[..., Any]:
    """A function of tensors that reads variables, compiled once for each shape of its arguments, or for any."""
    return tf.function(function, reduce_retracing=True)


def describing(descriptor: Describing) -> Callable[[Modality, Array], Array]:
    """From normalised pictures (B, H, W, 3) of one modality to descriptors (B, E), by the descriptor's weights when it
    is called."""
    return lambda modality, x: _described(descriptor, modality, x).numpy()


@tf.function(reduce_retracing=True)  # traced once a model and modality, however often it is evaluated
def _described(descriptor: Describing, modality: Modality, x: Tensor) -> Tensor:
    return descriptor.describe(modality, x)
