"""Pictures to descriptors, each through the encoders of its own modality, never of its role as query or gallery."""

from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from hicmd_tf.data.batches import evaluation_batches
from hicmd_tf.data.samples import Samples
from hicmd_tf.notation import MODALITIES, Modality, Tensor
from hicmd_tf.retrieval.metrics import score, summary

Array = np.ndarray[Any, Any]


class Describer(Protocol):
    """Anything with descriptors, such as `training.hicmd.HiCMD`."""

    def describe(self, modality: Modality, x: Tensor) -> Tensor:
        """(B, H, W, 3) -> (B, E), rows of length 1."""


def descriptors(model: Describer, samples: Samples, modality: Modality, height: int, width: int, batch: int) -> Array:
    """Descriptors (N, E) of pictures that are all of one modality."""
    return np.concatenate(
        [_describe(model, modality, x).numpy() for x in evaluation_batches(samples, height, width, batch)]
    )


@tf.function(reduce_retracing=True)  # traced once a model and modality, however often it is evaluated
def _describe(model: Describer, modality: Modality, x: Tensor) -> Tensor:
    return model.describe(modality, x)


def cross_modality_scores(
    model: Describer, samples: Samples, height: int, width: int, batch: int
) -> dict[str, dict[str, float]]:
    """Every picture of one modality ranked against all of the other: fractions by direction and name."""
    parts = {m: samples.of(m) for m in MODALITIES}
    described = {m: descriptors(model, parts[m], m, height, width, batch) for m in MODALITIES}
    results = {}
    for query, gallery in (MODALITIES, MODALITIES[::-1]):
        scores = score(described[query], described[gallery], parts[query].identities, parts[gallery].identities)
        results[f"{query}_to_{gallery}"] = summary(scores)
    return results
