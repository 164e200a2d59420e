"""Both triplet losses against loops over anchors, and the degenerate batches."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.method.losses.triplet import cosine_batch_hard, euclidean_batch_hard, pairwise_cosines, pairwise_distances


def cosine_loop(features, labels, anchors, margin, regulariser):
    unit = [row / (math.sqrt(sum(x * x for x in row)) + 1e-8) for row in features]
    hinge, negative_pull, positive_pull = [], [], []
    for a in anchors:
        cosines = [sum(x * y for x, y in zip(unit[a], other, strict=True)) for other in unit]
        p = min(c for c, label in zip(cosines, labels, strict=True) if label == labels[a])
        n = max(c for c, label in zip(cosines, labels, strict=True) if label != labels[a])
        hinge.append(max(n - p + margin, 0))
        negative_pull.append((1 + n) ** 2)
        positive_pull.append((p - 1) ** 2)
    return np.mean(hinge) + regulariser * (np.mean(negative_pull) + np.mean(positive_pull))


def euclidean_loop(features, labels, anchors, margin, soft):
    losses = []
    for a in anchors:
        distances = [math.sqrt(sum((x - y) ** 2 for x, y in zip(features[a], f, strict=True))) for f in features]
        p = max(d for d, label in zip(distances, labels, strict=True) if label == labels[a])
        n = min(d for d, label in zip(distances, labels, strict=True) if label != labels[a])
        losses.append(math.log(1 + math.exp(p - n)) if soft else max(p - n + margin, 0))
    return np.mean(losses)


@st.composite
def batches(draw):
    """Features, labels of at least two identities, and a non-empty set of anchors."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    rows, length = draw(st.integers(2, 12)), draw(st.integers(1, 6))
    labels = np.concatenate([[0, 1], rng.integers(4, size=rows - 2)])
    mask = rng.random(rows) < 0.5
    mask[rng.integers(rows)] = True
    return draw(st.sampled_from([0.1, 1.0, 10.0])) * rng.normal(size=(rows, length)), labels, mask


@settings(deadline=None, max_examples=40)
@given(batches(), st.floats(0, 2), st.floats(0, 2))
def test_cosine_form_equals_its_loop(batch, margin, regulariser):
    features, labels, mask = batch
    computed = cosine_batch_hard(features, labels, mask, margin, regulariser)
    expected = cosine_loop(features, labels, np.flatnonzero(mask), margin, regulariser)
    np.testing.assert_allclose(computed, expected, rtol=1e-9, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(batches(), st.floats(0, 2), st.booleans())
def test_euclidean_form_equals_its_loop(batch, margin, soft):
    features, labels, mask = batch
    for anchors, rows in ((mask, np.flatnonzero(mask)), (None, range(len(labels)))):
        computed = euclidean_batch_hard(features, labels, margin, anchors, soft)
        np.testing.assert_allclose(
            computed, euclidean_loop(features, labels, rows, margin, soft), rtol=1e-9, atol=1e-12
        )


@settings(deadline=None, max_examples=25)
@given(batches())
def test_a_mask_and_its_row_numbers_are_the_same_anchors(batch):
    features, labels, mask = batch
    rows = tuple(int(row) for row in np.flatnonzero(mask))
    assert float(cosine_batch_hard(features, labels, mask, 0.5, 1.0)) == float(
        cosine_batch_hard(features, labels, rows, 0.5, 1.0)
    )
    assert float(euclidean_batch_hard(features, labels, 0.5, mask)) == float(
        euclidean_batch_hard(features, labels, 0.5, rows)
    )


def test_rows_outside_the_anchors_are_still_candidates():
    features = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    labels = np.array([0, 0, 1])  # anchor 0: positive 0.0, negative 0.6, neither an anchor itself
    np.testing.assert_allclose(cosine_batch_hard(features, labels, (0,), 0.5, 0.0), 0.6 - 0.0 + 0.5, rtol=1e-6)
    np.testing.assert_allclose(
        cosine_batch_hard(features, labels, (0,), 0.5, 2.0), 1.1 + 2 * (1.6**2 + 1.0**2), rtol=1e-6
    )


def test_cosine_form_ignores_lengths_and_the_euclidean_scales_with_them():
    rng = np.random.default_rng(5)
    features, labels = rng.normal(size=(8, 5)), np.arange(8) % 3
    lengths = rng.uniform(1, 9, size=(8, 1))
    np.testing.assert_allclose(
        cosine_batch_hard(features * lengths, labels, None, 0.5, 1.0),
        cosine_batch_hard(features, labels, None, 0.5, 1.0),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        euclidean_batch_hard(features * 3, labels, 3.0), 3 * euclidean_batch_hard(features, labels, 1.0), rtol=1e-12
    )


def value_and_gradient(loss, features):
    x = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(x)
    return float(value), tape.gradient(value, x).numpy()


LOSSES = {
    "cosine": lambda labels: lambda x: cosine_batch_hard(x, labels, None, 0.5, 1.0),
    "hard": lambda labels: lambda x: euclidean_batch_hard(x, labels, 0.5),
    "soft": lambda labels: lambda x: euclidean_batch_hard(x, labels, 0.5, soft=True),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
@pytest.mark.parametrize("rows", [1, 4])
def test_a_batch_of_one_identity_has_loss_0_and_no_gradient(loss, rows):
    features = np.random.default_rng(6).normal(size=(rows, 3))
    value, gradient = value_and_gradient(loss(np.full(rows, 7)), features)
    assert value == 0
    assert not gradient.any()


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
@pytest.mark.parametrize("row", [[0.0, 0.0], [1.0, 2.0]])
def test_equal_rows_have_a_finite_gradient(loss, row):
    value, gradient = value_and_gradient(loss(np.array([0, 0, 1, 1])), np.array([row] * 4, "float32"))
    assert np.isfinite(value) and np.isfinite(gradient).all()


def test_no_anchors_is_loss_0():
    features, labels = np.eye(3), np.arange(3)
    assert float(cosine_batch_hard(features, labels, np.zeros(3, bool), 0.5, 1.0)) == 0
    assert float(euclidean_batch_hard(features, labels, 0.5, ())) == 0


def test_gradient_reaches_anchor_positive_and_negative_and_nothing_else():
    features = np.array([[0.0, 0.0], [0.0, 2.0], [0.0, 1.0], [1.5, 0.0], [9.0, 9.0]])
    labels = np.array([0, 0, 0, 1, 1])  # anchor 0: hardest positive 1 at distance 2, hardest negative 3 at 1.5
    _, gradient = value_and_gradient(lambda x: euclidean_batch_hard(x, labels, 0.5, (0,)), features)
    np.testing.assert_allclose(gradient, [[1, -1], [0, 1], [0, 0], [-1, 0], [0, 0]], atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 8), st.integers(1, 6), st.floats(0, 1e4), st.integers(0, 2**31))
def test_distances_are_symmetric_and_exactly_0_between_equal_rows_however_far_from_the_origin(rows, length, far, seed):
    features = (far + np.random.default_rng(seed).normal(size=(rows, length))).astype("float32")
    doubled = np.concatenate([features, features])
    distances = np.asarray(pairwise_distances(tf.constant(doubled)))
    assert (distances == distances.T).all()
    assert (np.diag(distances) == 0).all() and (np.diag(distances, rows) == 0).all()
    exact = np.linalg.norm(doubled[:, None].astype("float64") - doubled[None].astype("float64"), axis=-1)
    np.testing.assert_allclose(distances, exact, rtol=1e-6)


def test_cosines_are_symmetric():
    unit = np.random.default_rng(7).normal(size=(6, 50)).astype("float32")
    cosines = np.asarray(pairwise_cosines(tf.constant(unit)))
    assert (cosines == cosines.T).all()
    np.testing.assert_allclose(cosines, unit @ unit.T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_a_graph_of_unknown_batch_size_gives_the_eager_value(name):
    features, labels = np.random.default_rng(8).normal(size=(6, 4)), np.array([0, 0, 1, 1, 2, 2])
    signature = [tf.TensorSpec((None, 4), "float64"), tf.TensorSpec((None,), "int64")]
    graph = tf.function(lambda x, y: LOSSES[name](y)(x), input_signature=signature)
    np.testing.assert_allclose(graph(features, labels), LOSSES[name](labels)(tf.constant(features)), rtol=1e-12)
