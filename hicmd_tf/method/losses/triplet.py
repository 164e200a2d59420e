"""The triplet loss with batch-hard mining (Eq. 9; Hermans et al., 2017, the paper's [11]).

R rows of features are the candidates of every anchor. An anchor's hardest positive is the least similar row with its
label (at worst itself), its hardest negative the most similar row with another label. Ranking takes no part in the
gradient, which flows to anchor, positive and negative. Anchors without a negative count neither in the sum nor in the
mean: a batch of one identity has loss 0.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from hicmd_tf.method.losses.precision import accurate
from hicmd_tf.notation import Tensor

Anchors = Tensor | Sequence[int] | Sequence[bool] | None

NORM_EPSILON = 1e-8


def cosine_batch_hard(
    features: Tensor, labels: Tensor, anchors: Anchors, margin: float | Tensor, regulariser: float
) -> Tensor:
    """The released form: with n and p the cosines of an anchor to its hardest negative and positive,

    mean relu(n - p + margin) + regulariser * (mean (1 + n)^2 + mean (p - 1)^2), means over the anchors.

    features: (R, D), normalised here by their norm + 1e-8. labels: (R,). anchors: mask (R,) of bool, or row numbers;
    None: every row.
    """
    n, p = _hardest_cosines(features, labels)
    pull = ops.square(1.0 + n) + ops.square(p - 1.0)
    return _mean(ops.relu(n - p + _like(margin, n)) + regulariser * pull, labels, anchors)


def euclidean_batch_hard(
    features: Tensor, labels: Tensor, margin: float | Tensor, anchors: Anchors = None, soft: bool = False
) -> Tensor:
    """The paper's form (Eq. 9): mean over the anchors of [d(f^a, f^p) - d(f^a, f^n) + margin]_+.

    Eq. 9 writes a sum; a mean keeps the weight independent of the batch. features: (R, D). labels: (R,).
    anchors: mask (R,) of bool, or row numbers; None: every row.
    soft: softplus(d(f^a, f^p) - d(f^a, f^n)), the soft margin of [11]; `margin` then has no meaning.
    """
    difference = _hardest_difference(features, labels)
    return _mean(
        ops.softplus(difference) if soft else ops.relu(difference + _like(margin, difference)), labels, anchors
    )


def cosine_active(features: Tensor, labels: Tensor, anchors: Anchors, margin: float | Tensor) -> Tensor:
    """Share of the anchors, 0 to 1, that `cosine_batch_hard`'s margin still teaches: n - p + margin is above 0."""
    n, p = _hardest_cosines(ops.stop_gradient(features), labels)
    return _mean(ops.cast(n - p + _like(margin, n) > 0, n.dtype), labels, anchors)


def euclidean_active(features: Tensor, labels: Tensor, margin: float | Tensor, anchors: Anchors = None) -> Tensor:
    """Share of the anchors, 0 to 1, whose loss in `euclidean_batch_hard` is above 0."""
    difference = _hardest_difference(ops.stop_gradient(features), labels)
    return _mean(ops.cast(difference + _like(margin, difference) > 0, difference.dtype), labels, anchors)


def pairwise_cosines(unit: Tensor) -> Tensor:
    """(R, D) rows of length 1 -> (R, R) cosines. Products one by one: a matrix product may round coarsely on a GPU."""
    return ops.sum(unit[:, None, :] * unit[None, :, :], axis=-1)


def pairwise_distances(features: Tensor) -> Tensor:
    """(R, D) -> (R, R) Euclidean distances. By differences: |a|^2 + |b|^2 - 2ab would round small distances away."""
    return _distance(features[:, None, :], features[None, :, :])


def _hardest_cosines(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines (R,) of every row to its hardest negative and to its hardest positive."""
    unit = _normalise(accurate(features))
    positive, negative = _hardest(-pairwise_cosines(ops.stop_gradient(unit)), labels)
    p = ops.sum(unit * ops.take(unit, positive, axis=0), axis=-1)
    n = ops.sum(unit * ops.take(unit, negative, axis=0), axis=-1)
    return n, p


def _hardest_difference(features: Tensor, labels: Tensor) -> Tensor:
    """d(f^a, f^p) - d(f^a, f^n) of every row, (R,)."""
    features = accurate(features)
    positive, negative = _hardest(pairwise_distances(ops.stop_gradient(features)), labels)
    return _distance(features, ops.take(features, positive, axis=0)) - _distance(
        features, ops.take(features, negative, axis=0)
    )


def _distance(a: Tensor, b: Tensor) -> Tensor:
    return _root(ops.sum(ops.square(a - b), axis=-1))


def _normalise(features: Tensor) -> Tensor:
    return features / (_root(ops.sum(ops.square(features), axis=-1, keepdims=True)) + NORM_EPSILON)


def _like(number: float | Tensor, x: Tensor) -> Tensor:
    """A scalar in the type of x."""
    return ops.convert_to_tensor(number, x.dtype)


def _root(x: Tensor) -> Tensor:
    """Square root whose gradient at 0 is 0 instead of infinite."""
    positive = x > 0
    return ops.where(positive, ops.sqrt(ops.where(positive, x, ops.ones_like(x))), ops.zeros_like(x))


def _hardest(distances: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Row numbers (R,) of every row's farthest equal label and nearest other label, from distances (R, R)."""
    same = _same_label(labels)
    largest = ops.full_like(distances, np.finfo(keras.backend.standardize_dtype(distances.dtype)).max)
    positive = ops.argmax(ops.where(same, distances, -largest), axis=-1)
    negative = ops.argmin(ops.where(same, largest, distances), axis=-1)
    return positive, negative


def _same_label(labels: Tensor) -> Tensor:
    labels = ops.convert_to_tensor(labels)
    return ops.equal(labels[:, None], labels[None, :])


def _mean(losses: Tensor, labels: Tensor, anchors: Anchors) -> Tensor:
    """Mean of losses (R,) over the anchors that have a negative; 0 where there are none."""
    has_negative = ops.logical_not(ops.all(_same_label(labels), axis=-1))
    counted = ops.cast(has_negative, losses.dtype) * ops.cast(_counts(anchors, losses), losses.dtype)
    return ops.sum(counted * losses) / ops.maximum(ops.sum(counted), 1.0)


def _counts(anchors: Anchors, rows: Tensor) -> Tensor:
    """How often each of the R rows is an anchor, (R,)."""
    if anchors is None:
        return ops.ones_like(rows)
    chosen: Tensor = ops.convert_to_tensor(anchors)
    if keras.backend.standardize_dtype(chosen.dtype) == "bool":
        return chosen
    numbers = ops.arange(ops.shape(rows)[0], dtype="int32")
    return ops.sum(ops.cast(ops.equal(ops.cast(chosen, "int32")[:, None], numbers), "int32"), axis=0)
