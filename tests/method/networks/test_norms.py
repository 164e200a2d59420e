"""Norms of single images and of groups against NumPy and against separate calls, in the plain and in the fast forms."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from hicmd_tf.method.networks import fast
from hicmd_tf.method.networks.norms import EPSILON, GroupedBatchNorm, instance_norm, layer_norm

Array = np.ndarray[Any, Any]


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def value_and_gradients(function: Callable[..., Any], arrays: list[Array], dtype: str) -> list[Array]:
    """The value, and the gradients of its sum weighted randomly."""
    tensors = [tf.constant(array, dtype) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = function(*tensors)
        total = tf.reduce_sum(y * tf.constant(draw(*y.shape, seed=9), dtype))
    return [np.asarray(tensor) for tensor in (y, *tape.gradient(total, tensors))]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_instance_norm_uses_each_image_and_channel_alone(dtype: str, tolerance: float) -> None:
    x = 3 + 2 * draw(2, 4, 5, 3)
    expected = np.empty_like(x)
    for image in range(2):
        for channel in range(3):
            pixels = x[image, :, :, channel]
            expected[image, :, :, channel] = (pixels - pixels.mean()) / np.sqrt(pixels.var() + 1e-5)
    np.testing.assert_allclose(instance_norm(tf.constant(x, dtype)), expected, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_adaptive_instance_norm_scales_directly(dtype: str, tolerance: float) -> None:
    """The scale multiplies as it is, not as 1 + scale."""
    x, scale, shift = draw(2, 4, 5, 3), draw(2, 3, seed=1), draw(2, 3, seed=2)
    got = instance_norm(*(tf.constant(array, dtype) for array in (x, scale, shift)))
    expected = np.asarray(instance_norm(tf.constant(x))) * scale[:, None, None] + shift[:, None, None]
    np.testing.assert_allclose(got, expected, atol=tolerance)


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
    wide = np.asarray(tf.cast(x, "float64"))
    expected = (wide - wide.mean()) / np.sqrt(wide.var() + EPSILON)
    np.testing.assert_allclose(tf.cast(got, "float64"), expected, rtol=1e-2, atol=1e-2)


def plain_layer_norm(x: Any, gamma: Any, beta: Any) -> Any:
    mean = tf.reduce_mean(x, (1, 2, 3), keepdims=True)
    square = tf.reduce_sum((x - mean) ** 2, (1, 2, 3), keepdims=True)
    count = tf.cast(tf.size(x[0]), x.dtype)
    return (x - mean) / (tf.sqrt(square / (count - 1)) + EPSILON) * gamma + beta


@pytest.mark.parametrize("scale", [1.0, 1e-4])  # so small that the place of epsilon shows
def test_layer_norms_own_gradients_are_those_of_its_definition(scale: float) -> None:
    arrays = [2 + scale * draw(3, 4, 5, 6), draw(6, seed=1), draw(6, seed=2)]
    ours = value_and_gradients(layer_norm, arrays, "float64")
    for got, wanted in zip(ours, value_and_gradients(plain_layer_norm, arrays, "float64"), strict=True):
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

SHAPES = [(5,), (3, 4, 5)]  # after the batch axis: vectors and maps
EITHER_FORM = pytest.mark.parametrize("fused", [True, False])


@pytest.fixture
def bfloat16_policy() -> Iterator[None]:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(policy)


def moved(*shape: int, seed: int = 0) -> Array:
    return (2 + 3 * draw(*shape, seed=seed)).astype("float32")


def make(channels: int = 5) -> GroupedBatchNorm:
    layer = GroupedBatchNorm()
    layer.build((None, channels))
    rng = np.random.default_rng(7)
    layer.gamma.assign(rng.uniform(0.5, 2, channels))
    layer.beta.assign(rng.normal(size=channels))
    return layer


def outputs_and_gradients(
    layer: GroupedBatchNorm, x: Array, groups: Sequence[int] | None, weights: Array
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


@pytest.mark.parametrize("shape", SHAPES)
def test_one_group_is_normalised_by_its_own_biased_statistics(shape: tuple[int, ...]) -> None:
    layer, x = make(), moved(4, *shape)
    rows = x.reshape(-1, 5).astype("float64")
    expected = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-5) * layer.gamma.numpy() + layer.beta.numpy()
    got = layer(x, training=True)
    np.testing.assert_allclose(np.reshape(got, (-1, 5)), expected, atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * rows.var(0, ddof=1), rtol=1e-5)


@EITHER_FORM
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("groups", [[3], [2, 2, 2], [2, 4, 3]])
def test_groups_equal_separate_calls_in_order(
    fused: bool, shape: tuple[int, ...], groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fused:
        monkeypatch.setattr(fast, "_forms", dict)
    together, apart = make(), make()
    x, weights = moved(sum(groups), *shape), moved(sum(groups), *shape, seed=1)
    y, (dx, dgamma, dbeta) = outputs_and_gradients(together, x, groups, weights)
    ends = np.cumsum(groups)[:-1]
    parts = [
        outputs_and_gradients(apart, part, None, weight)
        for part, weight in zip(np.split(x, ends), np.split(weights, ends), strict=True)
    ]
    np.testing.assert_allclose(y, np.concatenate([part for part, _ in parts]), atol=1e-5)
    np.testing.assert_allclose(dx, np.concatenate([gradients[0] for _, gradients in parts]), atol=1e-4)
    np.testing.assert_allclose(dgamma, sum(gradients[1] for _, gradients in parts), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(dbeta, sum(gradients[2] for _, gradients in parts), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(running(together), running(apart), rtol=1e-5, atol=1e-6)


def test_the_order_of_groups_shows_in_the_running_statistics() -> None:
    forward, backward = make(), make()
    x = moved(4, 5)
    forward(x, training=True, groups=[2, 2])
    backward(x[[2, 3, 0, 1]], training=True, groups=[2, 2])
    assert np.abs(running(forward) - running(backward)).max() > 1e-3


@pytest.mark.parametrize("groups", [None, [2, 3]])
def test_two_updates_equal_two_calls(groups: list[int] | None) -> None:
    """Of one group: the release's two passes over the same images. Of several: each group twice, then the next."""
    once, twice, x = make(), make(), moved(5, 3, 4, 5)
    once(x, training=True, groups=groups, updates=2)
    for part in np.split(x, np.cumsum(groups)[:-1]) if groups else [x]:
        for _ in range(2):
            twice(part, training=True)
    np.testing.assert_allclose(running(once), running(twice), rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_inference_uses_running_statistics_and_leaves_them(shape: tuple[int, ...]) -> None:
    layer, x = make(), moved(4, *shape)
    mean, variance = moved(5, seed=2), np.abs(moved(5, seed=3))
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(variance)
    expected = (x - mean) / np.sqrt(variance + 1e-5) * layer.gamma.numpy() + layer.beta.numpy()
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(layer(x[:1], groups=[1]), expected[:1], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(running(layer), np.stack([mean, variance]))


def test_running_statistics_get_no_gradient() -> None:
    layer, x = make(), tf.constant(moved(4, 5))
    with tf.GradientTape() as tape:
        tape.watch(x)
        layer(x, training=True)
        loss = tf.reduce_sum(layer.moving_mean.value) + tf.reduce_sum(layer.moving_variance.value)
    assert tape.gradient(loss, x) is None
    assert [v.name for v in layer.trainable_variables] == ["gamma", "beta"]


@EITHER_FORM
@pytest.mark.parametrize("shape", SHAPES)
def test_bfloat16_inputs_keep_statistics_in_float32(
    bfloat16_policy: None, monkeypatch: pytest.MonkeyPatch, fused: bool, shape: tuple[int, ...]
) -> None:
    if not fused:
        monkeypatch.setattr(fast, "_forms", dict)
    layer = make()
    layer.moving_mean.assign(np.full(5, 1.2345678, "float32"))
    x = tf.cast(moved(16, *shape), "bfloat16")
    rows = np.reshape(tf.cast(x, "float64"), (-1, 5))
    assert layer(x, training=True).dtype == "bfloat16"
    assert layer(x).dtype == "bfloat16"
    assert layer.moving_mean.dtype == layer.moving_variance.dtype == "float32"
    np.testing.assert_allclose(layer.moving_mean, 0.9 * 1.2345678 + 0.1 * rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * rows.var(0, ddof=1), rtol=1e-5)


def test_initial_scales_spread_round_one() -> None:
    layer = GroupedBatchNorm(gamma_deviation=0.02)
    layer.build((None, 4000))
    assert layer.gamma.numpy().mean() == pytest.approx(1, abs=2e-3)
    assert layer.gamma.numpy().std() == pytest.approx(0.02, rel=0.05)
    np.testing.assert_array_equal(make().moving_variance, 1)
