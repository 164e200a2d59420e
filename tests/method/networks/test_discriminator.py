"""Discriminators: pooling between scales, score maps, and the second-order gradient of the R1 penalty."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.method.networks.discriminator import Discriminator, halve

Array = np.ndarray[Any, Any]


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def tiny(scales: int = 2) -> Discriminator:
    discriminator = Discriminator(scales, width=4, residual_blocks=1, deviation=None)
    discriminator.build((None, None, None, 3))
    return discriminator


shared = cache(tiny)  # for tests that change nothing


def naive_halve(x: Array) -> Array:
    _, height, width, _ = x.shape
    out = np.zeros((len(x), -(-height // 2), -(-width // 2), x.shape[3]))
    for row in range(out.shape[1]):
        for column in range(out.shape[2]):
            top, left = max(2 * row - 1, 0), max(2 * column - 1, 0)
            out[:, row, column] = x[:, top : 2 * row + 2, left : 2 * column + 2].mean((1, 2))
    return out


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9))
def test_halve_averages_only_pixels_of_the_image(height: int, width: int) -> None:
    x = draw(2, height, width, 3)
    np.testing.assert_allclose(halve(tf.constant(x)), naive_halve(x), atol=1e-12)


@settings(max_examples=5, deadline=None)
@given(st.integers(3, 8), st.integers(3, 8), st.integers(1, 3))
def test_score_maps_are_a_quarter_of_each_scale(height: int, width: int, scales: int) -> None:
    maps = shared(scales)(draw(1, 8 * height, 8 * width, 3))
    assert len(maps) == scales
    size = 8 * height, 8 * width
    for scores in maps:
        assert tuple(scores.shape) == (1, -(-size[0] // 4), -(-size[1] // 4), 1)
        size = -(-size[0] // 2), -(-size[1] // 2)


def test_each_scale_has_weights_of_its_own_and_sees_the_halved_image(float64: None) -> None:
    discriminator, x = tiny(3), draw(1, 32, 32, 3)
    sizes = [len(scale.trainable_variables) for scale in discriminator.scales]
    assert len({id(v) for v in discriminator.trainable_variables}) == sum(sizes)
    for scale, scores in zip(discriminator.scales, discriminator(x), strict=True):
        np.testing.assert_allclose(scores, scale(x), atol=1e-12)
        x = naive_halve(x)


def test_a_scale_is_five_convolutions_residual_blocks_and_a_linear_score(float64: None) -> None:
    scale, x = tiny().scales[0], draw(1, 16, 16, 3)
    kernels = [tuple(block.convolution.kernel.shape) for block in scale.convolutions]
    assert kernels == [(1, 1, 3, 4), (3, 3, 4, 4), (3, 3, 4, 4), (3, 3, 4, 4), (3, 3, 4, 8)]
    inner = x
    for convolution in scale.convolutions:
        inner = convolution(inner)
    for residual in scale.residuals:
        inner = residual(inner)
    weights = scale.score.convolution.kernel.numpy()[0, 0]
    np.testing.assert_allclose(scale(x), inner @ weights, atol=1e-12)


def test_images_of_a_batch_do_not_mix(float64: None) -> None:
    discriminator, x = tiny(), draw(3, 16, 16, 3)
    alone = [discriminator(x[i : i + 1]) for i in range(3)]
    for s, together in enumerate(discriminator(x)):
        np.testing.assert_allclose(together, np.concatenate([maps[s] for maps in alone]), atol=1e-12)


def test_initial_weights_are_normal_unless_told_otherwise() -> None:
    discriminator = Discriminator(1, 32, 1)
    discriminator.build((None, None, None, 3))
    for variable in discriminator.trainable_variables:
        if variable.name == "kernel" and np.prod(variable.shape) > 1000:
            assert variable.numpy().std() == pytest.approx(0.02, rel=0.06)
    kaiming = tiny().scales[0].convolutions[1].convolution.kernel.numpy()
    assert kaiming.std() == pytest.approx(np.sqrt(2 / 36), rel=0.25)


def squared_input_gradient(discriminator: Discriminator, x: tf.Tensor) -> tf.Tensor:
    """What the R1 penalty measures, without its mean: sum over scales of |grad_x sum(D_s(x))|^2."""
    total = 0.0
    for s in range(len(discriminator.scales)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            scores = tf.reduce_sum(discriminator(x)[s])
        total += tf.reduce_sum(tf.square(tape.gradient(scores, x)))
    return total


def test_second_order_gradient_matches_finite_differences(float64: None) -> None:
    discriminator, x = tiny(), tf.constant(draw(1, 16, 16, 3))
    variables = [v for v in discriminator.trainable_variables if v.name == "kernel"]
    with tf.GradientTape() as tape:
        penalty = squared_input_gradient(discriminator, x)
    gradients = tape.gradient(penalty, [v.value for v in variables])
    assert all(gradient is not None for gradient in gradients)
    directions = [draw(*v.shape, seed=i) for i, v in enumerate(variables)]
    slope = sum(float(np.sum(g * d)) for g, d in zip(gradients, directions, strict=True))
    start = [v.numpy() for v in variables]
    values = []
    for step in (1e-7, -1e-7):  # so small that no LeakyReLU changes sides
        for variable, value, direction in zip(variables, start, directions, strict=True):
            variable.assign(value + step * direction)
        values.append(float(squared_input_gradient(discriminator, x)))
    assert slope == pytest.approx((values[0] - values[1]) / 2e-7, rel=1e-4)
