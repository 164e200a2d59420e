"""Hierarchical feature learning: alpha, the combination and the identity head."""

import numpy as np
import pytest
import tensorflow as tf
from numeric import Array, draw, value_and_gradients

from hicmd_tf.method.networks.feature_learning import Combination, IdentityHead, l2_normalise


def combination(alpha: float, normalise_parts: bool = True) -> Combination:
    layer = Combination(alpha, normalise_parts)
    layer.build()
    return layer


def unit(x: Array) -> Array:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize("normalise_parts", [True, False])
@pytest.mark.parametrize("alpha", [-0.5, 0.0, 0.3, 1.0, 1.5])
def test_alpha_is_clamped_from_one_side_in_each_part(alpha: float, normalise_parts: bool, float64: None) -> None:
    """min(alpha, 1) p^d and max(1 - alpha, 0) a^s: below 0 and above 1 the other part keeps growing with its weight."""
    layer, embedded, style = combination(alpha, normalise_parts), draw(3, 4), draw(3, 5, seed=1)
    parts = (unit(embedded), unit(style)) if normalise_parts else (embedded, style)
    expected = [min(alpha, 1.0) * parts[0], max(1 - alpha, 0.0) * parts[1]]
    np.testing.assert_allclose(layer.prototype_part(embedded), expected[0], atol=1e-12)
    np.testing.assert_allclose(layer.style_part(style), expected[1], atol=1e-12)
    np.testing.assert_allclose(layer(embedded, style), np.concatenate(expected, axis=1), atol=1e-12)


@pytest.mark.parametrize(("alpha", "slopes"), [(-0.5, (1, -1)), (0.3, (1, -1)), (1.5, (0, 0))])
def test_clamped_parts_move_alpha_no_more(alpha: float, slopes: tuple[int, int]) -> None:
    layer = combination(alpha, normalise_parts=False)
    for part, slope in zip((layer.prototype_part, layer.style_part), slopes, strict=True):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(part(np.ones((1, 1))))
        gradient = tape.gradient(total, layer.alpha.value)
        assert float(gradient if gradient is not None else 0) == slope


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_get_length_one_and_zeros_stay_zeros_without_nan(dtype: str) -> None:
    y, gradient = value_and_gradients(l2_normalise, [np.array([[0.0, 0.0], [3.0, 4.0]])], dtype)
    np.testing.assert_allclose(y, np.array([[0, 0], [0.6, 0.8]]), rtol=1e-6)
    arrived = draw(2, 2, seed=9)[1]
    expected = (arrived - (arrived @ y[1]) * y[1]) / 5
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient[1], expected, rtol=1e-5)


def test_dropout_works_in_training_only_and_before_both_last_layers() -> None:
    """With all but few entries dropped, the last layers see (almost) nothing but their biases, zero at the start."""
    layer, x = IdentityHead(5, 7, 4, 0.999, "batch_norm"), draw(3, 6).astype("float32")
    layer.build(x.shape)
    trained = layer(x, training=True)
    assert np.count_nonzero(trained.batch_norm) == 21, "the descriptor's output stands before dropout"
    assert np.count_nonzero(trained.triplet) < 12 and np.count_nonzero(trained.logits) < 15
    inferred = layer(x, training=False)
    assert np.count_nonzero(inferred.triplet) == 12 and np.count_nonzero(inferred.logits) == 15
    np.testing.assert_array_equal(layer(x).logits, inferred.logits)
