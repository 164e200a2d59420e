"""Eq. 7 in both forms against loops; the gradient penalty against finite differences of a small discriminator."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.method.losses.adversarial import discriminator_loss, generator_loss, gradient_penalty

FORMS = ["least_squares", "log"]


def score_maps(rng, scales, batch=2):
    return [rng.normal(size=(batch, 8 >> s, 4 >> s, 1)) for s in range(scales)]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def probability(score):
    return 1 / (1 + math.exp(-score))


def discriminator_loop(real_maps, fakes, form):
    """The real term counts once a fake in least squares, and once in log."""
    total = 0.0
    for maps in fakes:
        for fake, real in zip(maps, real_maps, strict=True):
            if form == "least_squares":
                total += mean(d**2 for d in fake.ravel()) + mean((d - 1) ** 2 for d in real.ravel())
            else:
                total -= mean(math.log(1 - probability(d)) for d in fake.ravel())
    if form == "log":
        for real in real_maps:
            total -= mean(math.log(probability(d)) for d in real.ravel())
    return total


def generator_loop(maps, form):
    if form == "least_squares":
        return sum(mean((d - 1) ** 2 for d in scores.ravel()) for scores in maps)
    return sum(mean(math.log(1 - probability(d)) for d in scores.ravel()) for scores in maps)


@given(st.sampled_from(FORMS), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**31))
def test_both_sides_equal_their_loops(form, scales, fakes, batch, seed):
    rng = np.random.default_rng(seed)
    real = score_maps(rng, scales, batch)
    fake = [score_maps(rng, scales, batch) for _ in range(fakes)]
    np.testing.assert_allclose(discriminator_loss(real, fake, form), discriminator_loop(real, fake, form), rtol=1e-10)
    np.testing.assert_allclose(generator_loss(fake[0], form), generator_loop(fake[0], form), rtol=1e-10)


@pytest.mark.parametrize("score", [-1e4, 1e4])
def test_extreme_scores_stay_finite_in_value_and_gradient(score):
    maps = [tf.fill((1, 2, 2, 1), tf.constant(score, "float32"))]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(maps)
        losses = [discriminator_loss(maps, [maps], "log"), generator_loss(maps, "log")]
    np.testing.assert_allclose([float(loss) for loss in losses], [1e4, min(-score, 0)], rtol=1e-6)
    assert all(np.isfinite(tape.gradient(loss, maps)[0]).all() for loss in losses)


def small_discriminator(x, kernel):
    """Two scales of a nonlinear convolutional score, the second after an average pool."""
    pooled = tf.reduce_mean(tf.reshape(x, (x.shape[0], 2, 2, 2, 2, 3)), axis=(2, 4))
    return [tf.tanh(tf.einsum("bhwc,c->bhw", scale, kernel)) ** 2 for scale in (x, pooled)]


def test_gradient_penalty_of_a_network_equals_finite_differences():
    rng = np.random.default_rng(4)
    image, kernel = rng.normal(size=(3, 4, 4, 3)), tf.constant(rng.normal(size=3))
    x = tf.constant(image)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        totals = [tf.reduce_sum(scores) for scores in small_discriminator(x, kernel)]
    computed = gradient_penalty([tape.gradient(total, x) for total in totals])

    step, expected = 1e-6, 0.0
    for index in np.ndindex(image.shape):
        move = np.zeros_like(image)
        move[index] = step
        up, down = (small_discriminator(tf.constant(image + sign * move), kernel) for sign in (1, -1))
        for high, low in zip(up, down, strict=True):
            expected += (float(tf.reduce_sum(high) - tf.reduce_sum(low)) / (2 * step)) ** 2 / len(image)
    np.testing.assert_allclose(computed, expected, rtol=1e-7)
