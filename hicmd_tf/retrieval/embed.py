"""Descriptors of many pictures, batch by batch (what a descriptor is, `method.descriptor` says)."""

from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from hicmd_tf.data.batches import evaluation_batches
from hicmd_tf.data.samples import Samples
from hicmd_tf.notation import INFRARED, MODALITIES, Modality, Tensor

Array = np.ndarray[Any, Any]


class Describer(Protocol):
    """Anything with descriptors: an opened model, one that is being trained, one to be exported."""

    def describe(self, modality: Modality, x: Tensor) -> Tensor:
        """Normalised pictures (B, H, W, 3) of one modality -> (B, E), rows of length 1."""


def descriptors(model: Describer, samples: Samples, height: int, width: int, batch: int) -> Array:
    """Descriptors (N, E) of pictures of either modality, in their order."""
    described: Array | None = None
    with tqdm(total=len(samples), desc="describing", unit="picture", leave=False) as bar:
        for modality in MODALITIES:
            rows = np.flatnonzero(samples.infrared == (modality == INFRARED))
            for start, x in enumerate(evaluation_batches(samples.select(rows), height, width, batch)):
                found = described_by(model, modality, x).numpy()
                described = np.empty((len(samples), found.shape[1]), found.dtype) if described is None else described
                described[rows[start * batch : start * batch + len(found)]] = found
                bar.update(len(found))
    return np.empty((0, 0), np.float32) if described is None else described


@tf.function(reduce_retracing=True)  # traced once a model and modality, however often it is evaluated
def described_by(model: Describer, modality: Modality, x: Tensor) -> Tensor:
    """`Describer.describe` as a graph."""
    return model.describe(modality, x)
