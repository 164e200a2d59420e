"""Hierarchical feature learning: alpha, the combination, the identity head and the descriptor."""

from typing import Any, Literal

import numpy as np
import pytest
import tensorflow as tf

from hicmd_tf.method.networks.feature_learning import (
    Combination,
    FeatureLearning,
    IdentityHead,
    PrototypeEmbedding,
    l2_normalise,
)

Array = np.ndarray[Any, Any]


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def combination(alpha: float, normalise_parts: bool = True) -> Combination:
    layer = Combination(0.5, normalise_parts)
    layer.build()
    layer.alpha.assign(alpha)
    return layer


def head(dropout: float = 0.5) -> IdentityHead:
    layer = IdentityHead(classes=5, embedding=7, triplet_embedding=4, dropout=dropout)
    layer.build((None, 6))
    return layer


def feature_learning(descriptor: Literal["fc", "batch_norm"] = "batch_norm") -> FeatureLearning:
    features = FeatureLearning(
        PrototypeEmbedding([2, 3], [1, 1]), Combination(0.5, True), IdentityHead(5, 7, 4, 0.5), descriptor
    )
    features.build(((None, None, None, 8), (None, 6)))
    features.head.norm.moving_mean.assign(draw(7))
    return features


def unit(x: Array) -> Array:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


# ------------------------------------------------------------------------------------------------------- combination


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
def test_clamped_parts_move_alpha_no_more(alpha: float, slopes: tuple[int, int], float64: None) -> None:
    layer = combination(alpha, normalise_parts=False)
    for part, slope in zip((layer.prototype_part, layer.style_part), slopes, strict=True):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(part(np.ones((1, 1))))
        gradient = tape.gradient(total, layer.alpha.value)
        assert float(gradient if gradient is not None else 0) == slope


def test_alpha_starts_at_its_configured_value() -> None:
    layer = Combination(0.25, True)
    layer.build()
    assert float(layer.alpha) == 0.25 and layer.trainable_variables == [layer.alpha]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_zeros_stay_zeros_without_nan(dtype: str) -> None:
    x = tf.constant([[0.0, 0.0], [3.0, 4.0]], dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = l2_normalise(x)
    np.testing.assert_allclose(y, np.array([[0, 0], [0.6, 0.8]]), rtol=1e-6)
    assert np.isfinite(tape.gradient(y, x)).all()


def test_normalising_gradient_matches_finite_differences() -> None:
    x, weights, step = draw(2, 3), draw(2, 3, seed=1), 1e-6
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(l2_normalise(inputs) * weights)
    direction = draw(2, 3, seed=2)
    rise = np.sum((unit(x + step * direction) - unit(x - step * direction)) * weights) / (2 * step)
    assert np.sum(tape.gradient(loss, inputs) * direction) == pytest.approx(rise, rel=1e-6)


# -------------------------------------------------------------------------------------------------------------- head


def test_head_outputs_in_inference(float64: None) -> None:
    layer, x = head(), draw(3, 6)
    layer.norm.moving_mean.assign(draw(7, seed=1))
    layer.norm.moving_variance.assign(draw(7, seed=2) ** 2)
    got = layer(x)
    fc = x @ layer.embed.kernel.numpy() + layer.embed.bias.numpy()
    np.testing.assert_allclose(got.fc, fc, atol=1e-12)
    np.testing.assert_allclose(got.batch_norm, layer.norm(fc), atol=1e-12)
    np.testing.assert_allclose(got.triplet, layer.triplet(got.batch_norm), atol=1e-12)
    np.testing.assert_allclose(got.logits, layer.classify(got.batch_norm), atol=1e-12)
    assert got.triplet.shape == (3, 4) and got.logits.shape == (3, 5)


def test_dropout_works_in_training_only_and_before_both_last_layers() -> None:
    """With all but few entries dropped, the last layers see (almost) nothing but their biases, zero at the start."""
    layer, x = head(dropout=0.999), draw(3, 6).astype("float32")
    trained = layer(x, training=True)
    assert np.count_nonzero(trained.batch_norm) == 21, "the descriptor's output stands before dropout"
    assert np.count_nonzero(trained.triplet) < 12 and np.count_nonzero(trained.logits) < 15
    inferred = layer(x, training=False)
    assert np.count_nonzero(inferred.triplet) == 12 and np.count_nonzero(inferred.logits) == 15
    np.testing.assert_array_equal(layer(x).logits, inferred.logits)


def test_head_normalises_all_rows_together_in_training(float64: None) -> None:
    layer, x = head(), draw(8, 6)
    fc = np.asarray(layer(x).fc)
    expected = (fc - fc.mean(0)) / np.sqrt(fc.var(0) + 1e-5) * layer.norm.gamma.numpy()
    np.testing.assert_allclose(layer(x, training=True).batch_norm, expected, atol=1e-10)


def test_head_starts_with_the_stated_deviations() -> None:
    layer = IdentityHead(classes=50, embedding=200, triplet_embedding=100, dropout=0.5)
    layer.build((None, 100))
    for dense, deviation in (
        (layer.embed, np.sqrt(2 / 200)),
        (layer.triplet, np.sqrt(2 / 100)),
        (layer.classify, 0.001),
    ):
        assert dense.kernel.numpy().std() == pytest.approx(deviation, rel=0.05)
        assert not dense.bias.numpy().any()
    assert layer.norm.sizes == {"gamma_deviation": 0.02}


# -------------------------------------------------------------------------------------------------- feature learning


def test_embedding_is_the_mean_of_two_stages() -> None:
    embedding, x = PrototypeEmbedding([2, 3], [1, 2]), draw(2, 8, 12, 4).astype("float32")
    embedding.build(x.shape)
    first, second = embedding.stages
    features = np.asarray(second(first(x)))
    assert features.shape == (2, 2, 3, embedding.channels) == (2, 2, 3, 12)
    np.testing.assert_allclose(embedding(x), features.mean((1, 2)), atol=1e-5)


def test_embedding_keeps_groups_apart_in_training() -> None:
    embedding, x = PrototypeEmbedding([2, 3], [1, 1]), draw(5, 8, 8, 4).astype("float32")
    embedding.build(x.shape)
    apart = [embedding(part, training=True) for part in (x[:2], x[2:])]
    np.testing.assert_allclose(embedding(x, training=True, groups=[2, 3]), np.concatenate(apart), atol=1e-4)


def test_identification_combines_prototype_then_style(float64: None) -> None:
    features, prototype, style = feature_learning(), draw(2, 8, 4, 8), draw(2, 6, seed=1)
    embedded = np.asarray(features.embedding(prototype))
    combined = np.concatenate([0.5 * unit(embedded), 0.5 * unit(style)], axis=1)
    expected = features.head(combined)
    for got, wanted in zip(features((prototype, style)), expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-10)
