"""Norms of single images and of groups against NumPy and against separate calls, in the plain and in the fast forms."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from numeric import Array, draw, value_and_gradients

from hicmd_tf.method.networks import fast
from hicmd_tf.method.networks.norms import EPSILON, GroupedBatchNorm, KindGroups, instance_norm, layer_norm
from hicmd_tf.method.precision import computing_in


def standardised(x: Array, axes: Any) -> Array:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_instance_norm_uses_each_image_and_channel_alone_and_adain_scales_directly(
    dtype: str, tolerance: float
) -> None:
    """The scale multiplies as it is, not as 1 + scale."""
    x, scale, shift = (
        tf.constant(array, dtype) for array in (3 + 2 * draw(2, 4, 5, 3), draw(2, 3), draw(2, 3, seed=1))
    )
    expected = standardised(3 + 2 * draw(2, 4, 5, 3), (1, 2))
    np.testing.assert_allclose(instance_norm(x), expected, atol=tolerance)
    expected = expected * draw(2, 3)[:, None, None] + draw(2, 3, seed=1)[:, None, None]
    np.testing.assert_allclose(instance_norm(x, scale, shift), expected, atol=tolerance)


def test_a_batch_of_unknown_size_is_normalised_alike() -> None:
    """As exported graphs have it."""
    x = draw(2, 4, 5, 3).astype("float32")
    graph = tf.function(instance_norm, input_signature=[tf.TensorSpec((None, None, None, 3))])
    np.testing.assert_allclose(graph(x), instance_norm(tf.constant(x)), atol=1e-5)


@pytest.mark.parametrize("known", [True, False])
def test_half_precision_is_computed_in_float32(known: bool) -> None:
    """Sums of many bfloat16 values would lose the mean."""
    x = tf.cast(100 + draw(1, 64, 32, 1), "bfloat16")
    signature = tf.TensorSpec((1 if known else None, 64, 32, 1), "bfloat16")
    got = tf.function(instance_norm, input_signature=[signature])(x)
    assert got.dtype == "bfloat16"
    expected = standardised(np.asarray(tf.cast(x, "float64")), None)
    np.testing.assert_allclose(tf.cast(got, "float64"), expected, rtol=1e-2, atol=1e-2)


def plain_layer_norm(x: Any, gamma: Any, beta: Any) -> Any:
    mean = tf.reduce_mean(x, (1, 2, 3), keepdims=True)
    square = tf.reduce_sum((x - mean) ** 2, (1, 2, 3), keepdims=True)
    count = tf.cast(tf.size(x[0]), x.dtype)
    return (x - mean) / (tf.sqrt(square / (count - 1)) + EPSILON) * gamma + beta


@pytest.mark.parametrize("scale", [1.0, 1e-4])  # so small that the place of epsilon shows
def test_layer_norm_has_the_values_and_gradients_of_its_definition(scale: float) -> None:
    arrays = [2 + scale * draw(3, 4, 5, 6), draw(6, seed=1), draw(6, seed=2)]
    ours = value_and_gradients(layer_norm, arrays)
    for got, wanted in zip(ours, value_and_gradients(plain_layer_norm, arrays), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-7, atol=1e-8 / scale)


def test_layer_norm_of_a_constant_image_is_its_shift_with_finite_gradients() -> None:
    y, *gradients = value_and_gradients(layer_norm, [np.ones((1, 4, 5, 3)), draw(3), draw(3, seed=1)], "float32")
    np.testing.assert_allclose(y, np.broadcast_to(draw(3, seed=1), y.shape), rtol=1e-6)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_layer_norm_keeps_bfloat16_and_float32_parameters() -> None:
    x, gamma, beta = tf.cast(draw(2, 4, 5, 3), "bfloat16"), ops.ones(3), ops.zeros(3)
    with tf.GradientTape() as tape:
        tape.watch([x, gamma, beta])
        y = layer_norm(x, gamma, beta)
    assert y.dtype == "bfloat16"
    assert [g.dtype for g in tape.gradient(y, [x, gamma, beta])] == ["bfloat16", "float32", "float32"]


# ------------------------------------------------------------------------------------------------ of groups of a batch

EITHER_SHAPE = pytest.mark.parametrize("shape", [(5,), (3, 4, 5)])  # after the batch axis: vectors and maps


@pytest.fixture(params=["fast", "plain"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "plain":
        monkeypatch.setattr(fast, "_forms", dict)


def moved(*shape: int, seed: int = 0) -> Array:
    return (2 + 3 * draw(*shape, seed=seed)).astype("float32")


def make(channels: int = 5) -> GroupedBatchNorm:
    layer = GroupedBatchNorm()
    layer.build((None, channels))
    layer.gamma.assign(np.abs(draw(channels, seed=7)) + 0.5)
    layer.beta.assign(draw(channels, seed=8))
    return layer


def outputs_and_gradients(
    layer: GroupedBatchNorm, x: Array, groups: KindGroups | None, weights: Array
) -> tuple[Array, list[Array]]:
    """Of a weighted sum, since the plain sum of a normalised batch has no gradient."""
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = layer(inputs, training=True, groups=groups)
        loss = tf.reduce_sum(y * weights)
    gradients = tape.gradient(loss, [inputs, layer.gamma.value, layer.beta.value])
    return y.numpy(), [gradient.numpy() for gradient in gradients]


def running(layer: GroupedBatchNorm) -> Array:
    return np.stack([layer.moving_mean.numpy(), layer.moving_variance.numpy()])


def after(*parts: Array, times: int = 1) -> Array:
    """Running statistics that took in one part after another, each so many times: unbiased variances, momentum 0.1."""
    found = np.stack([np.zeros(5), np.ones(5)])
    for part in (part.reshape(-1, 5).astype("float64") for part in parts for _ in range(times)):
        found = 0.9 * found + 0.1 * np.stack([part.mean(0), part.var(0, ddof=1)])
    return found


@EITHER_SHAPE
def test_training_uses_biased_statistics_and_inference_the_running_ones(shape: tuple[int, ...]) -> None:
    layer, x = make(), moved(4, *shape)
    gamma, beta = layer.gamma.numpy(), layer.beta.numpy()
    expected = standardised(x.reshape(-1, 5).astype("float64"), 0) * gamma + beta
    np.testing.assert_allclose(np.reshape(layer(x, training=True), (-1, 5)), expected, atol=1e-4)
    mean, variance = running(layer)
    np.testing.assert_allclose(running(layer), after(x), rtol=1e-5)
    np.testing.assert_allclose(layer(x), (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(running(layer), [mean, variance])


@EITHER_SHAPE
@pytest.mark.parametrize("groups", [KindGroups((3,), 1), KindGroups((4, 2), 2), KindGroups((2, 4, 3), 1)])
def test_groups_equal_separate_calls_in_order(form: None, shape: tuple[int, ...], groups: KindGroups) -> None:
    together, apart = make(), make()
    sizes = groups.sizes()
    x, weights = moved(sum(sizes), *shape), moved(sum(sizes), *shape, seed=1)
    y, (dx, dgamma, dbeta) = outputs_and_gradients(together, x, groups, weights)
    pairs = zip(*(np.split(array, np.cumsum(sizes)[:-1]) for array in (x, weights)), strict=True)
    parts = [outputs_and_gradients(apart, part, None, weight) for part, weight in pairs]
    np.testing.assert_allclose(y, np.concatenate([part for part, _ in parts]), atol=1e-5)
    np.testing.assert_allclose(dx, np.concatenate([gradients[0] for _, gradients in parts]), atol=1e-4)
    np.testing.assert_allclose(dgamma, sum(gradients[1] for _, gradients in parts), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(dbeta, sum(gradients[2] for _, gradients in parts), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(running(together), running(apart), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("updates", [0, 1, 2])
def test_each_group_counts_as_often_as_it_is_told_before_the_next(updates: int) -> None:
    """Twice: the release's two passes over the same images."""
    layer, x = make(), moved(5, 3, 4, 5)
    layer(x, training=True, groups=KindGroups((2, 3), 1), updates=updates)
    np.testing.assert_allclose(running(layer), after(x[:2], x[2:], times=updates), rtol=1e-5)


def test_running_statistics_get_no_gradient() -> None:
    layer, x = make(), tf.constant(moved(4, 5))
    with tf.GradientTape() as tape:
        tape.watch(x)
        layer(x, training=True)
        loss = tf.reduce_sum(layer.moving_mean.value) + tf.reduce_sum(layer.moving_variance.value)
    assert tape.gradient(loss, x) is None
    assert [v.name for v in layer.trainable_variables] == ["gamma", "beta"]


@EITHER_SHAPE
def test_bfloat16_inputs_keep_statistics_in_float32(form: None, shape: Sequence[int]) -> None:
    with computing_in("mixed_bfloat16"):
        layer = make()
        x = tf.cast(moved(16, *shape), "bfloat16")
        assert layer(x, training=True).dtype == layer(x).dtype == "bfloat16"
    assert layer.moving_mean.dtype == layer.moving_variance.dtype == "float32"
    np.testing.assert_allclose(running(layer), after(np.asarray(tf.cast(x, "float64"))), rtol=1e-5)
