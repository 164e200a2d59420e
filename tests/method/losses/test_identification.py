"""Cross-entropy and both triplet losses against loops over rows, and the degenerate batches."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.method.losses.identification import (
    cosine_batch_hard,
    cross_entropy,
    euclidean_batch_hard,
    pairwise_distances,
)


@pytest.mark.parametrize("scale", [0.1, 30.0])
def test_cross_entropy_is_the_mean_negative_log_probability_of_the_label(scale):
    rng = np.random.default_rng(2)
    logits, labels = scale * rng.normal(size=(7, 5)), rng.integers(5, size=7)
    log_p = logits - logits.max(1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(1, keepdims=True))
    np.testing.assert_allclose(cross_entropy(logits, labels), -log_p[range(7), labels].mean(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_cross_entropy_of_huge_logits_stays_finite(dtype):
    logits = np.array([[1e4, -1e4], [1e4, -1e4]], "float32")
    assert float(cross_entropy(logits, np.array([0, 1], dtype))) == 1e4


def hardest(similar, labels, a):
    """The least similar row with a's label and the most similar one with another."""
    same = [row for row, label in enumerate(labels) if label == labels[a]]
    others = [row for row, label in enumerate(labels) if label != labels[a]]
    return min(same, key=lambda row: similar[a, row]), max(others, key=lambda row: similar[a, row])


def cosine_loop(features, labels, anchors, margin, regulariser):
    unit = features / (np.linalg.norm(features, axis=1, keepdims=True) + 1e-8)
    similar, losses, active = unit @ unit.T, [], []
    for a in anchors:
        p, n = (similar[a, row] for row in hardest(similar, labels, a))
        losses.append(max(n - p + margin, 0) + regulariser * ((1 + n) ** 2 + (p - 1) ** 2))
        active.append(n - p + margin > 0)
    return np.mean(losses), np.mean(active)


def euclidean_loop(features, labels, margin):
    away = np.linalg.norm(features[:, None] - features[None], axis=-1)
    violations = []
    for a in range(len(labels)):
        p, n = (away[a, row] for row in hardest(-away, labels, a))
        violations.append(p - n + margin)
    return np.mean(np.maximum(violations, 0)), np.mean(np.array(violations) > 0)


@st.composite
def batches(draw):
    """Features, labels of at least two identities, and a non-empty set of anchors."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    rows, length = draw(st.integers(2, 12)), draw(st.integers(2, 6))
    labels = np.concatenate([[0, 1], rng.integers(4, size=rows - 2)])
    anchors = rng.permutation(rows)[: draw(st.integers(1, rows))]
    return draw(st.sampled_from([0.1, 1.0, 10.0])) * rng.normal(size=(rows, length)), labels, anchors


@given(batches(), st.floats(0, 2), st.floats(0, 2))
def test_loss_and_share_of_active_triplets_equal_their_loops(batch, margin, regulariser):
    """Rows outside the anchors are still candidates."""
    features, labels, anchors = batch
    got = cosine_batch_hard(features, labels, margin, regulariser, [anchors])
    np.testing.assert_allclose(got, cosine_loop(features, labels, anchors, margin, regulariser), rtol=1e-9, atol=1e-12)
    got = euclidean_batch_hard(features, labels, margin)
    np.testing.assert_allclose(got, euclidean_loop(features, labels, margin), rtol=1e-9, atol=1e-12)


def test_losses_of_several_groups_of_anchors_are_added_and_their_shares_averaged():
    rng = np.random.default_rng(3)
    features, labels = rng.normal(size=(9, 4)), np.arange(9) % 3
    one, other, both = (
        cosine_batch_hard(features, labels, 0.1, 1.0, groups) for groups in ([[0, 4, 5]], [[1, 7]], [[0, 4, 5], [1, 7]])
    )
    np.testing.assert_allclose(both.loss, one.loss + other.loss, rtol=1e-12)
    np.testing.assert_allclose(both.active, (one.active + other.active) / 2, rtol=1e-12)


LOSSES = {
    "cosine": lambda x, labels: cosine_batch_hard(x, labels, 0.5, 1.0, [range(len(labels))]).loss,
    "euclidean": lambda x, labels: euclidean_batch_hard(x, labels, 0.5).loss,
}
EVERY_LOSS = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


def value_and_gradient(loss, features):
    x = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(x)
    return float(value), tape.gradient(value, x).numpy()


@EVERY_LOSS
@pytest.mark.parametrize("rows", [1, 4])
def test_a_batch_of_one_identity_has_loss_0_and_no_gradient(loss, rows):
    features = np.random.default_rng(6).normal(size=(rows, 3))
    value, gradient = value_and_gradient(lambda x: loss(x, np.full(rows, 7)), features)
    assert value == 0
    assert not gradient.any()


@EVERY_LOSS
@pytest.mark.parametrize("row", [[0.0, 0.0], [1.0, 2.0]])
def test_equal_rows_have_a_finite_gradient(loss, row):
    value, gradient = value_and_gradient(lambda x: loss(x, np.array([0, 0, 1, 1])), np.array([row] * 4, "float32"))
    assert np.isfinite(value) and np.isfinite(gradient).all()


def test_no_anchors_is_loss_0():
    assert float(cosine_batch_hard(np.eye(3), np.arange(3), 0.5, 1.0, [()]).loss) == 0


def test_gradient_reaches_anchor_positive_and_negative_and_nothing_else():
    features = np.array([[0.0, 0.0], [0.0, 2.0], [0.0, 1.0], [1.5, 0.0], [9.0, 9.0]])
    labels = np.array([0, 0, 0, 1, 2])  # row 0 alone violates the margin: positive 1 at distance 2, negative 3 at 1.5
    _, gradient = value_and_gradient(lambda x: LOSSES["euclidean"](x, labels), features)
    np.testing.assert_allclose(5 * gradient, [[1, -1], [0, 1], [0, 0], [-1, 0], [0, 0]], atol=1e-12)


@settings(max_examples=10)
@given(st.integers(1, 8), st.integers(1, 6), st.floats(0, 1e4), st.integers(0, 2**31))
def test_distances_are_exactly_0_between_equal_rows_however_far_from_the_origin(rows, length, far, seed):
    features = (far + np.random.default_rng(seed).normal(size=(rows, length))).astype("float32")
    doubled = np.concatenate([features, features])
    distances = np.asarray(pairwise_distances(tf.constant(doubled)))
    assert (distances == distances.T).all()
    assert (np.diag(distances) == 0).all() and (np.diag(distances, rows) == 0).all()
    exact = np.linalg.norm(doubled[:, None].astype("float64") - doubled[None].astype("float64"), axis=-1)
    np.testing.assert_allclose(distances, exact, rtol=1e-6)
