"""A descriptor as a function of NumPy arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from hicmd_tf.method.descriptor import Describing
from hicmd_tf.notation import Modality, Tensor

Array = np.ndarray[Any, Any]


def describing(descriptor: Describing) -> Callable[[Modality, Array], Array]:
    """From normalised pictures (B, H, W, 3) of one modality to descriptors (B, E), by the descriptor's weights when it
    is called."""
    return lambda modality, x: _described(descriptor, modality, x).numpy()


@tf.function(reduce_retracing=True)  # traced once a model and modality, however often it is evaluated
def _described(descriptor: Describing, modality: Modality, x: Tensor) -> Tensor:
    return descriptor.describe(modality, x)
