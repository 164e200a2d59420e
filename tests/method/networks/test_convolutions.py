"""Convolutions, padding and pooling against naive loops, and the blocks' order."""

from typing import Any, Literal

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from numeric import draw, naive_convolution, of_windows, padded, value_and_gradients

from hicmd_tf.method.networks.convolutions import (
    ResidualBlock,
    mirrored,
    reflected_convolution,
    zero_padded_convolution,
)
from hicmd_tf.method.networks.discriminator import halve
from hicmd_tf.method.networks.layers import leaky_relu
from hicmd_tf.method.networks.norms import instance_norm
from hicmd_tf.method.networks.resnet import Stem


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_leaky_relu_has_its_exact_slope(dtype: str) -> None:
    y, slope = value_and_gradients(leaky_relu, [np.array([-2.0, 3.0])], dtype)
    np.testing.assert_allclose(y, np.array([-0.6, 3.0], dtype), rtol=1e-15 if dtype == "float64" else 1e-7)
    np.testing.assert_allclose(slope / draw(2, seed=9), [0.3, 1.0], rtol=1e-6)


@pytest.mark.parametrize("mode", ["reflect", "symmetric"])
def test_maps_are_mirrored_as_by_numpy(mode: Literal["reflect", "symmetric"]) -> None:
    x = draw(2, 4, 5, 3)
    np.testing.assert_array_equal(mirrored(tf.constant(x), 2, mode), padded(x, 2, mode))


@pytest.mark.parametrize(
    ("size", "stride", "dilation"), [(1, 1, 1), (3, 1, 1), (3, 2, 1), (5, 1, 1), (3, 1, 2), (3, 1, 3)]
)
@given(st.integers(5, 12), st.integers(5, 12))
def test_reflected_convolutions_keep_or_halve_the_size(
    size: int, stride: int, dilation: int, height: int, width: int
) -> None:
    x, kernel = draw(1, height, width, 2), draw(size, size, 2, 4, seed=1)
    expected = naive_convolution(padded(x, dilation * (size // 2), "reflect"), kernel, stride, dilation)
    assert expected.shape[1:3] == (-(-height // stride), -(-width // stride))
    for dtype, limit in (("float64", 1e-12), ("float32", 1e-4)):
        got = reflected_convolution(tf.constant(x, dtype), tf.constant(kernel, dtype), stride, dilation)
        np.testing.assert_allclose(got, expected, atol=limit)


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (7, 2)])
def test_resnet_convolutions_pad_zeros_on_both_sides(size: int, stride: int) -> None:
    x, kernel = draw(1, 8, 10, 3), draw(size, size, 3, 4, seed=1)
    expected = naive_convolution(padded(x, size // 2), kernel, stride)
    np.testing.assert_allclose(zero_padded_convolution(tf.constant(x), kernel, stride), expected, atol=1e-12)


def test_stem_pools_maxima_of_three_by_three_windows(float64: None) -> None:
    stem, x = Stem(4), draw(1, 16, 12, 3)
    stem.build(x.shape)
    inner = padded(np.asarray(stem.convolution(x)), 1, constant_values=-np.inf)
    np.testing.assert_allclose(stem(x), of_windows(inner, 3, 2, 1, lambda window: window.max((1, 2))), atol=1e-12)


@given(st.integers(1, 9), st.integers(1, 9))
def test_halve_averages_only_pixels_of_the_image(height: int, width: int) -> None:
    x = draw(2, height, width, 3)
    inner = padded(x, 1, constant_values=np.nan)
    expected = of_windows(inner, 3, 2, 1, lambda window: np.nanmean(window, (1, 2)))
    np.testing.assert_allclose(halve(tf.constant(x)), expected, atol=1e-12)


def test_a_residual_block_gives_its_first_convolution_the_first_half_of_the_scales(float64: None) -> None:
    """Norm, then activation, between the two convolutions alone."""
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
    x, kernel = draw(2, 8, 6, 3), draw(size, size, 3, 4, seed=1)

    def derivatives(dtype: str) -> tuple[Any, ...]:
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
