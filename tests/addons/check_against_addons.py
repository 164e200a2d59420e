"""tensorflow-addons as an oracle of our instance norm and Euclidean batch-hard triplet loss.

Runs in .venv-addons (`make test-addons`); our values come from the file that `ours.py` wrote, named by HICMD_TF_VALUES.
"""

import os
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_addons as tfa
from cases import MARGIN, feature_maps, triplet_batches

OURS = dict(np.load(os.environ["HICMD_TF_VALUES"]))
CLOSE = {"rtol": 1e-9, "atol": 1e-11}
SINGLE = {"rtol": 2e-6, "atol": 1e-6}

NO_NEGATIVE = ("one identity", "one row")
TIES = ("duplicates", "duplicates of others")
UNDEFINED = ("all equal", "all zero")


def ours(key: str) -> tuple[Any, Any]:
    return OURS[f"{key}/value"], OURS[f"{key}/gradient"]


@pytest.mark.parametrize("name", feature_maps())
def test_instance_norm_has_the_values_and_gradients_of_addons(name: str) -> None:
    x, upstream = feature_maps()[name]
    layer = tfa.layers.InstanceNormalization(axis=-1, epsilon=1e-5, center=False, scale=False, dtype="float64")
    variable = tf.constant(x, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        y = layer(variable)
    gradient = tape.gradient(y, variable, upstream).numpy()

    value, our_gradient = ours(f"instance norm/{name}")

    np.testing.assert_allclose(value, y.numpy(), **CLOSE)
    # Gradients are differences of terms as large as upstream / deviation, so they are compared on that scale.
    scale = np.abs(upstream).max() / np.sqrt(np.maximum(x.var(axis=(1, 2)).min(), 0) + 1e-5)
    np.testing.assert_allclose(our_gradient, gradient, rtol=1e-9, atol=1e-11 * scale)


def addons_triplet(name: str) -> tuple[float, Any]:
    case = triplet_batches()[name]
    loss = tfa.losses.TripletHardLoss(margin=MARGIN, distance_metric="L2")
    features = tf.constant(case.features, tf.float32)  # addons' triplet loss fails in float64
    with tf.GradientTape() as tape:
        tape.watch(features)
        value = loss(case.labels, features)
    return float(value), tape.gradient(value, features).numpy()


@pytest.mark.parametrize("name", [name for name in triplet_batches() if name not in (*NO_NEGATIVE, *TIES, *UNDEFINED)])
def test_triplet_has_the_values_and_gradients_of_addons(name: str) -> None:
    value, gradient = ours(f"triplet/{name}")
    expected, expected_gradient = addons_triplet(name)

    np.testing.assert_allclose(value, expected, **SINGLE)
    np.testing.assert_allclose(gradient, expected_gradient, **SINGLE)


@pytest.mark.parametrize("name", [*TIES, *UNDEFINED])
def test_triplet_has_the_values_of_addons_where_rows_tie(name: str) -> None:
    """Addons divides a tie's gradient among equal rows and we give it to the first: their sums over them agree."""
    value, gradient = ours(f"triplet/{name}")
    expected, expected_gradient = addons_triplet(name)

    np.testing.assert_allclose(value, expected, **SINGLE)
    _, groups = np.unique(triplet_batches()[name].features, axis=0, return_inverse=True)
    for group in np.unique(groups):
        rows = groups.ravel() == group
        np.testing.assert_allclose(gradient[rows].sum(0), expected_gradient[rows].sum(0), **SINGLE)


@pytest.mark.parametrize("name", NO_NEGATIVE)
def test_without_negatives_ours_is_zero_where_addons_takes_the_farthest_row_for_one(name: str) -> None:
    """A difference on purpose: a batch of one identity says nothing about telling people apart."""
    value, gradient = ours(f"triplet/{name}")

    assert value == 0 and not gradient.any()
    assert np.isfinite(addons_triplet(name)[0])
