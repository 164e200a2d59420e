"""Norms of single images against NumPy, and their kernels and own gradients against TensorFlow's differentiation."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from hicmd_tf.engines.tensorflow import kernels
from hicmd_tf.method.networks.normalisation import EPSILON, adaptive_instance_norm, instance_norm, layer_norm

Array = np.ndarray[Any, Any]


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def value_and_gradients(function: Callable[..., Any], arrays: list[Array], dtype: str) -> list[Array]:
    """The value, and the gradients of its sum weighted by chance."""
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
    got = adaptive_instance_norm(*(tf.constant(array, dtype) for array in (x, scale, shift)))
    expected = np.asarray(instance_norm(tf.constant(x))) * scale[:, None, None] + shift[:, None, None]
    np.testing.assert_allclose(got, expected, atol=tolerance)


def test_the_kernel_gives_the_gradients_of_plain_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = [3 + 2 * draw(3, 4, 5, 6), draw(3, 6, seed=1), draw(3, 6, seed=2)]
    assert kernels.are_for(tf.constant(arrays[0], "float32"))
    by_kernel = value_and_gradients(adaptive_instance_norm, arrays, "float32")
    plain = value_and_gradients(adaptive_instance_norm, arrays, "float64")
    for got, wanted in zip(by_kernel, plain, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


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
