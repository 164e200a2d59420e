"""Every loss's gradient against central differences in float64, and its precision for narrower inputs."""

import numpy as np
import pytest
import tensorflow as tf

from hicmd_tf.method.losses.adversarial import discriminator_loss, generator_loss, gradient_penalty
from hicmd_tf.method.losses.generation import kl, l1
from hicmd_tf.method.losses.identification import cosine_batch_hard, cross_entropy, euclidean_batch_hard

TARGET = np.random.default_rng(0).normal(size=(8, 5))
LABELS = np.array([0, 0, 1, 1, 2, 2, 3, 0])

LOSSES = {
    "l1": lambda x: l1(x, tf.reverse(x, [0])),
    "mean_square": lambda x: kl(x, "mean_square"),
    "gaussian": lambda x: kl(x, "gaussian"),
    "discriminator least_squares real": lambda x: discriminator_loss([x], [[TARGET]] * 2, "least_squares"),
    "discriminator least_squares fake": lambda x: discriminator_loss([TARGET], [[x]] * 2, "least_squares"),
    "discriminator log real": lambda x: discriminator_loss([x], [[TARGET]] * 2, "log"),
    "discriminator log fake": lambda x: discriminator_loss([TARGET], [[x]] * 2, "log"),
    "generator least_squares": lambda x: generator_loss([x, x[:, :2]], "least_squares"),
    "generator log": lambda x: generator_loss([x, x[:, :2]], "log"),
    "gradient_penalty": lambda x: gradient_penalty([tf.reshape(x, (2, 4, 5, 1))] * 2),
    "cross_entropy": lambda x: cross_entropy(x, LABELS),
    "cosine triplet": lambda x: cosine_batch_hard(x, LABELS, 0.5, 1.0, [(0, 1, 2), (5,)]).loss,
    "euclidean triplet": lambda x: euclidean_batch_hard(x, LABELS, 0.5).loss,
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_equals_central_differences(name):
    loss, x = LOSSES[name], np.random.default_rng(9).normal(size=(8, 5))
    point = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(point)
        value = loss(point)
    assert value.dtype == "float64" and value.shape == ()
    expected, step = np.zeros_like(x), 1e-6
    for index in np.ndindex(x.shape):
        move = np.zeros_like(x)
        move[index] = step
        expected[index] = (float(loss(tf.constant(x + move))) - float(loss(tf.constant(x - move)))) / (2 * step)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(tape.gradient(value, point), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_inputs_are_computed_in_float32(name, dtype, monkeypatch):
    monkeypatch.setitem(globals(), "TARGET", tf.cast(TARGET, dtype))
    half = tf.cast(np.random.default_rng(10).normal(size=(8, 5)), dtype)
    result = LOSSES[name](half)
    assert result.dtype == "float32"
    np.testing.assert_allclose(result, LOSSES[name](tf.cast(half, "float32")), rtol=1e-5)


def test_a_mean_beyond_half_precision_is_exact():
    ones = tf.ones((1, 70_000), "float16")  # 70,000 is infinite in float16
    assert float(kl(ones * 300, "mean_square")) == 90_000
    assert float(l1(ones, 0 * ones)) == 1
