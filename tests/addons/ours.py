"""Writes our values and gradients of every case into a file, for `check_against_addons.py`.

tensorflow-addons needs an older Keras than ours, so the two never run in one process:
python tests/addons/ours.py OUT.npz
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from cases import MARGIN, feature_maps, triplet_batches

from hicmd_tf.method.losses.identification import euclidean_batch_hard
from hicmd_tf.method.networks.norms import instance_norm

Array = np.ndarray[Any, Any]


def value_and_gradient(function: Callable[[Any], Any], x: Array, upstream: Array | None = None) -> tuple[Array, Array]:
    """function(x), and the gradient with respect to x of its sum, weighted by `upstream`."""
    variable = tf.constant(x, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        y = function(variable)
    return y.numpy(), tape.gradient(y, variable, upstream).numpy()


def main(path: str) -> None:
    """Computes and writes everything."""
    results: dict[str, Array] = {}
    for name, (x, upstream) in feature_maps().items():
        key = f"instance norm/{name}"
        results[f"{key}/value"], results[f"{key}/gradient"] = value_and_gradient(instance_norm, x, upstream)
    for name, case in triplet_batches().items():

        def loss(features: Any, labels: Array = case.labels) -> Any:
            return euclidean_batch_hard(features, labels, MARGIN).loss

        key = f"triplet/{name}"
        results[f"{key}/value"], results[f"{key}/gradient"] = value_and_gradient(loss, case.features)
    np.savez(path, **results)


if __name__ == "__main__":
    main(sys.argv[1])
