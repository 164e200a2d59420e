"""Descriptors of many pictures, batch by batch (what a descriptor is, `method.descriptor` says)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from tqdm import tqdm

from hicmd_tf.data.batches import evaluation_batches
from hicmd_tf.data.samples import Samples
from hicmd_tf.notation import INFRARED, MODALITIES, Modality

Array = np.ndarray[Any, Any]

Describe = Callable[[Modality, Array], Array]
"""Normalised pictures (B, H, W, 3) of one modality -> descriptors (B, E) of length 1: `describing` of an engine."""


def descriptors(describe: Describe, samples: Samples, height: int, width: int, batch: int) -> Array:
    """Descriptors (N, E) of pictures of either modality, in their order."""
    described: Array | None = None
    with tqdm(total=len(samples), desc="describing", unit="picture", leave=False) as bar:
        for modality in MODALITIES:
            rows = np.flatnonzero(samples.infrared == (modality == INFRARED))
            for start, x in enumerate(evaluation_batches(samples.select(rows), height, width, batch)):
                found = describe(modality, x)
                described = np.empty((len(samples), found.shape[1]), found.dtype) if described is None else described
                described[rows[start * batch : start * batch + len(found)]] = found
                bar.update(len(found))
    return np.empty((0, 0), np.float32) if described is None else described
