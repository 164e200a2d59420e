"""The building blocks outside the ResNets, against NumPy and naive loops."""

from typing import Any, Literal

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from hicmd_tf.method.networks.convolutions import (
    Convolution,
    ConvolutionBlock,
    ResidualBlock,
    convolve,
    mirrored,
    reflected_convolution,
)
from hicmd_tf.method.networks.layers import LEAKY_SLOPE, leaky_relu
from hicmd_tf.method.networks.norms import ImageLayerNorm, instance_norm

Array = np.ndarray[Any, Any]


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def naive_convolution(x: Array, kernel: Array, stride: int, dilation: int) -> Array:
    """A valid convolution, one output pixel after another."""
    size = kernel.shape[0]
    reach = dilation * (size - 1)
    height, width = ((length - reach - 1) // stride + 1 for length in x.shape[1:3])
    out = np.zeros((len(x), height, width, kernel.shape[-1]))
    for row in range(height):
        for column in range(width):
            top, left = row * stride, column * stride
            window = x[:, top : top + reach + 1 : dilation, left : left + reach + 1 : dilation]
            out[:, row, column] = np.tensordot(window, kernel, axes=3)
    return out


def test_leaky_relu_is_exact_in_float64() -> None:
    x = draw(100)
    np.testing.assert_array_equal(leaky_relu(tf.constant(x)), np.where(x > 0, x, 0.3 * x))


def test_leaky_relu_gradients_agree_between_precisions() -> None:
    for dtype in ("float32", "float64"):
        x = tf.constant([-2.0, 3.0], dtype)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = leaky_relu(x)
        np.testing.assert_allclose(tape.gradient(y, x), [LEAKY_SLOPE, 1.0], rtol=1e-6)


@pytest.mark.parametrize("mode", ["reflect", "symmetric"])
def test_maps_are_mirrored_as_by_numpy(mode: Literal["reflect", "symmetric"]) -> None:
    x = draw(2, 4, 5, 3)
    expected = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode=mode)
    np.testing.assert_array_equal(mirrored(tf.constant(x), 2, mode), expected)


def test_image_layer_norm_divides_by_the_unbiased_deviation_plus_epsilon(float64: None) -> None:
    x = 1e-4 * draw(2, 4, 5, 3)  # so small that the place of epsilon shows
    layer = ImageLayerNorm()
    layer.build(x.shape)
    gamma, beta = draw(3, seed=1), draw(3, seed=2)
    layer.set_weights([gamma, beta])
    for image, got in zip(x, layer(x), strict=True):
        expected = (image - image.mean()) / (image.std(ddof=1) + 1e-5) * gamma + beta
        np.testing.assert_allclose(got, expected, atol=1e-10)


def test_image_layer_norm_starts_with_uniform_scales_and_no_shift() -> None:
    layer = ImageLayerNorm()
    layer.build((None, None, None, 4000))
    gamma, beta = layer.get_weights()
    assert 0 <= gamma.min() < 0.01 and 0.99 < gamma.max() <= 1
    assert abs(gamma.mean() - 0.5) < 0.03 and not beta.any()


@pytest.mark.parametrize(
    ("size", "stride", "dilation"), [(1, 1, 1), (3, 1, 1), (3, 2, 1), (5, 1, 1), (3, 1, 2), (3, 1, 3)]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_convolve_equals_a_naive_loop(size: int, stride: int, dilation: int, dtype: str) -> None:
    x, kernel = draw(2, 9, 11, 3), draw(size, size, 3, 4, seed=1)
    got = convolve(tf.constant(x, dtype), tf.constant(kernel, dtype), stride, dilation)
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(got, naive_convolution(x, kernel, stride, dilation), atol=tolerance)


def test_float64_dilated_convolution_has_the_float32_gradients() -> None:
    gradients = {}
    for dtype in ("float32", "float64"):
        x, kernel = tf.constant(draw(2, 8, 9, 3), dtype), tf.constant(draw(3, 3, 3, 4, seed=1), dtype)
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            loss = ops.sum(ops.square(convolve(x, kernel, 1, 2)))
        gradients[dtype] = tape.gradient(loss, [x, kernel])
    for single, double in zip(gradients["float32"], gradients["float64"], strict=True):
        np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-3)


@settings(max_examples=15, deadline=None)
@given(st.integers(5, 12), st.integers(5, 12), st.sampled_from([(3, 1, 1), (3, 2, 1), (5, 1, 1), (3, 1, 3)]))
def test_convolution_pads_by_reflection_and_adds_the_bias(height: int, width: int, sizes: tuple[int, int, int]) -> None:
    size, stride, dilation = sizes
    layer = Convolution(4, size, stride, dilation)
    x = draw(1, height, width, 2)
    layer.build(x.shape)
    layer.bias.assign(draw(4, seed=3))
    pad = dilation * (size // 2)
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    expected = naive_convolution(padded, layer.kernel.numpy(), stride, dilation) + layer.bias.numpy()
    assert expected.shape[1:3] == (-(-height // stride), -(-width // stride))
    np.testing.assert_allclose(layer(x), expected, atol=1e-4)


def test_initial_kernels_have_the_stated_deviation_and_no_bias() -> None:
    kaiming, normal = Convolution(64, 3), Convolution(64, 3, deviation=0.02)
    for layer, deviation in ((kaiming, np.sqrt(2 / (9 * 32))), (normal, 0.02)):
        layer.build((None, None, None, 32))
        assert layer.kernel.numpy().std() == pytest.approx(deviation, rel=0.03)
        assert not layer.bias.numpy().any()


def test_block_order_is_convolution_norm_activation() -> None:
    x = draw(2, 6, 6, 3)
    block = ConvolutionBlock(4, 3, norm="instance")
    block.build(x.shape)
    expected = leaky_relu(instance_norm(block.convolution(x)))
    np.testing.assert_allclose(block(x), expected, atol=1e-6)
    linear = ConvolutionBlock(4, 3, norm="instance", activation=False)
    linear.build(x.shape)
    linear.set_weights(block.get_weights())
    np.testing.assert_allclose(linear(x), instance_norm(block.convolution(x)), atol=1e-6)


def test_residual_block_adds_its_input_without_a_last_activation(float64: None) -> None:
    x = draw(2, 6, 6, 4)
    block = ResidualBlock(4)
    block.build(x.shape)
    inner = leaky_relu(block.first.convolution(x))
    np.testing.assert_allclose(block(x), x + block.second.convolution(inner), atol=1e-12)


def test_residual_block_gives_its_first_convolution_the_first_half_of_the_scales(float64: None) -> None:
    x, scales, shifts = draw(2, 6, 6, 4), draw(2, 8, seed=1), draw(2, 8, seed=2)
    block = ResidualBlock(4, "adaptive")
    block.build(x.shape)
    inner = leaky_relu(instance_norm(block.first.convolution(x), scales[:, :4], shifts[:, :4]))
    expected = x + instance_norm(block.second.convolution(inner), scales[:, 4:], shifts[:, 4:])
    np.testing.assert_allclose(block(x, scales, shifts), expected, atol=1e-12)


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (5, 1), (1, 1)])
@pytest.mark.parametrize("as_graph", [False, True])
def test_the_reflected_convolution_of_float32_has_the_derivatives_of_float64(
    size: int, stride: int, as_graph: bool
) -> None:
    """Up to those that the gradient penalty takes: of the squared gradient with respect to the input."""
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(2, 8, 6, 3)), rng.normal(size=(size, size, 3, 4))

    def derivatives(dtype: str) -> tuple[tf.Tensor, ...]:
        at = tf.constant(x, dtype), tf.constant(kernel, dtype)
        with tf.GradientTape() as outer:
            outer.watch(at)
            with tf.GradientTape() as inner:
                inner.watch(at)
                y = reflected_convolution(*at, stride, 1)
                total = tf.reduce_sum(y**3)
            first = inner.gradient(total, at)
            penalty = tf.reduce_sum(first[0] ** 2)
        return (y, *first, *outer.gradient(penalty, at))

    run = tf.function(derivatives) if as_graph else derivatives
    for got, expected in zip(run("float32"), derivatives("float64"), strict=True):
        scale = float(tf.reduce_max(tf.abs(expected)))
        np.testing.assert_allclose(got / scale, tf.cast(expected / scale, "float32"), atol=2e-6)
