"""GroupedBatchNorm against separate calls, and its fused kernel against plain arithmetic."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.engines.tensorflow import kernels
from hicmd_tf.method.networks.batch_norm import GroupedBatchNorm

Array = np.ndarray[Any, Any]
SHAPES = [(5,), (3, 4, 5)]  # behind the batch axis: vectors and maps


@pytest.fixture
def bfloat16_policy() -> Iterator[None]:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(policy)


def draw(*shape: int, seed: int = 0) -> Array:
    return (2 + 3 * np.random.default_rng(seed).normal(size=shape)).astype("float32")


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
    layer, x = make(), draw(4, *shape)
    rows = x.reshape(-1, 5).astype("float64")
    expected = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-5) * layer.gamma.numpy() + layer.beta.numpy()
    got = layer(x, training=True)
    np.testing.assert_allclose(np.reshape(got, (-1, 5)), expected, atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * rows.var(0, ddof=1), rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(2, 5), min_size=1, max_size=4))
def test_groups_equal_separate_calls_in_order(shape: tuple[int, ...], groups: list[int]) -> None:
    together, apart = make(), make()
    x, weights = draw(sum(groups), *shape), draw(sum(groups), *shape, seed=1)
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
    x = draw(4, 5)
    forward(x, training=True, groups=[2, 2])
    backward(x[[2, 3, 0, 1]], training=True, groups=[2, 2])
    assert np.abs(running(forward) - running(backward)).max() > 1e-3


@pytest.mark.parametrize("groups", [None, [2, 3]])
def test_two_updates_equal_two_calls(groups: list[int] | None) -> None:
    """Of one group: the release's two passes over the same images. Of several: each group twice, then the next."""
    once, twice, x = make(), make(), draw(5, 3, 4, 5)
    once(x, training=True, groups=groups, updates=2)
    for part in np.split(x, np.cumsum(groups)[:-1]) if groups else [x]:
        for _ in range(2):
            twice(part, training=True)
    np.testing.assert_allclose(running(once), running(twice), rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_fused_kernel_equals_plain_arithmetic(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    fused, plain = make(), make()
    x, weights = draw(6, *shape), draw(6, *shape, seed=1)
    assert kernels.are_for(tf.constant(x))
    y, gradients = outputs_and_gradients(fused, x, [2, 4], weights)
    monkeypatch.setattr(kernels, "are_for", lambda x: False)
    expected, expected_gradients = outputs_and_gradients(plain, x, [2, 4], weights)
    np.testing.assert_allclose(y, expected, atol=1e-4)
    for got, wanted in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(running(fused), running(plain), rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_inference_uses_running_statistics_and_leaves_them(shape: tuple[int, ...]) -> None:
    layer, x = make(), draw(4, *shape)
    mean, variance = draw(5, seed=2), np.abs(draw(5, seed=3))
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(variance)
    expected = (x - mean) / np.sqrt(variance + 1e-5) * layer.gamma.numpy() + layer.beta.numpy()
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(layer(x[:1], groups=[1]), expected[:1], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(running(layer), np.stack([mean, variance]))


def test_running_statistics_get_no_gradient() -> None:
    layer, x = make(), tf.constant(draw(4, 5))
    with tf.GradientTape() as tape:
        tape.watch(x)
        layer(x, training=True)
        loss = tf.reduce_sum(layer.moving_mean.value) + tf.reduce_sum(layer.moving_variance.value)
    assert tape.gradient(loss, x) is None
    assert [v.name for v in layer.trainable_variables] == ["gamma", "beta"]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_bfloat16_inputs_keep_statistics_in_float32(
    bfloat16_policy: None, monkeypatch: pytest.MonkeyPatch, fused: bool, shape: tuple[int, ...]
) -> None:
    monkeypatch.setattr(kernels, "are_for", lambda x: fused)
    layer = make()
    layer.moving_mean.assign(np.full(5, 1.2345678, "float32"))
    x = tf.cast(draw(16, *shape), "bfloat16")
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
