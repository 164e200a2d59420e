"""A descriptor as a function of NumPy arrays."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from hicmd_tf.engines.jax.compiling import compiled
from hicmd_tf.method.descriptor import Describing
from hicmd_tf.notation import MODALITIES, Modality

Array = np.ndarray[Any, Any]
Describe = Callable[[Modality, Array], Array]


def describing(descriptor: Describing) -> Describe:
    """From normalised pictures (B, H, W, 3) of one modality to descriptors (B, E), by the descriptor's weights when it
    is called. Compiled once a descriptor, modality and largest batch."""
    if not hasattr(descriptor, "_describing"):
        descriptor._describing = _describing(descriptor)  # there, so that it goes with the descriptor
    return descriptor._describing


def _describing(descriptor: Describing) -> Describe:
    by_modality = {m: compiled(partial(descriptor.describe, m), descriptor.variables) for m in MODALITIES}
    largest = 0

    def describe(modality: Modality, x: Array) -> Array:
        nonlocal largest
        largest, rows = max(largest, len(x)), len(x)
        # A last, smaller batch is filled up: another size would be compiled anew.
        filled = np.concatenate([x, np.zeros((largest - rows, *x.shape[1:]), x.dtype)])
        return np.asarray(by_modality[modality](filled))[:rows]

    return describe
