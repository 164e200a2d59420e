"""The identity losses: cross-entropy (Eq. 8) and the triplet loss (Eq. 9).

Triplets are mined batch-hard (Hermans et al., 2017, the paper's [11]). R rows of features are the candidates of every
anchor. An anchor's hardest positive is the least similar row with its label (at worst itself), its hardest negative the
most similar row with another label. Ranking takes no part in the gradient, which flows to anchor, positive and
negative. Anchors without a negative count neither in the sum nor in the mean: a batch of one identity has loss 0.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from hicmd_tf.method.precision import accurate
from hicmd_tf.notation import Tensor

NORM_EPSILON = 1e-8


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean of -log p(y|f) over R rows (Eq. 8), no label smoothing. logits: (R, N); labels: (R,) in 0 to N - 1."""
    return ops.mean(ops.sparse_categorical_crossentropy(labels, accurate(logits), from_logits=True))


class Triplets(NamedTuple):
    """loss: a scalar. active: share of the anchors, 0 to 1, that still violate the margin; it carries no gradient."""

    loss: Tensor
    active: Tensor


def cosine_batch_hard(
    features: Tensor, labels: Tensor, margin: float | Tensor, regulariser: float, anchors: Sequence[Sequence[int]]
) -> Triplets:
    """The released form: with n and p the cosines of an anchor to its hardest negative and positive,

    mean relu(n - p + margin) + regulariser * (mean (1 + n)^2 + mean (p - 1)^2), means over the anchors.

    Args:
        features: (R, D), divided here by their norm + 1e-8.
        labels: (R,).
        anchors: groups of row numbers: the losses of the groups are added, as in the release's two calls, and their
            shares averaged.
    """
    unit = accurate(features)
    unit = unit / (_root(ops.sum(ops.square(unit), axis=-1, keepdims=True)) + NORM_EPSILON)
    positive, negative = _hardest(-pairwise_cosines(ops.stop_gradient(unit)), labels)
    p = ops.sum(unit * ops.take(unit, positive, axis=0), axis=-1)  # (R,)
    n = ops.sum(unit * ops.take(unit, negative, axis=0), axis=-1)
    violation = n - p + ops.convert_to_tensor(margin, n.dtype)
    pull = ops.square(1.0 + n) + ops.square(p - 1.0)
    return _of_anchors(ops.relu(violation) + regulariser * pull, violation, labels, anchors)


def euclidean_batch_hard(features: Tensor, labels: Tensor, margin: float | Tensor) -> Triplets:
    """The paper's form (Eq. 9): mean over all rows of [d(f^a, f^p) - d(f^a, f^n) + margin]_+.

    Eq. 9 writes a sum; a mean keeps the weight independent of the batch. features: (R, D). labels: (R,).
    """
    features = accurate(features)
    hardest = _hardest(pairwise_distances(ops.stop_gradient(features)), labels)
    positive, negative = (_distance(features, ops.take(features, rows, axis=0)) for rows in hardest)  # (R,)
    violation = positive - negative + ops.convert_to_tensor(margin, features.dtype)
    return _of_anchors(ops.relu(violation), violation, labels, [None])


def pairwise_cosines(unit: Tensor) -> Tensor:
    """(R, D) rows of length 1 -> (R, R) cosines. Products one by one: a matrix product may round coarsely on a GPU."""
    return ops.sum(unit[:, None, :] * unit[None, :, :], axis=-1)


def pairwise_distances(features: Tensor) -> Tensor:
    """(R, D) -> (R, R) Euclidean distances. By differences: |a|^2 + |b|^2 - 2ab would round small distances away."""
    return _distance(features[:, None, :], features[None, :, :])


def _distance(a: Tensor, b: Tensor) -> Tensor:
    return _root(ops.sum(ops.square(a - b), axis=-1))


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


def _of_anchors(losses: Tensor, violation: Tensor, labels: Tensor, groups: Sequence[Sequence[int] | None]) -> Triplets:
    """From each row's loss (R,) and violation of the margin (R,) those of the anchors that have a negative; None: all
    rows."""
    has_negative = ops.cast(ops.logical_not(ops.all(_same_label(labels), axis=-1)), losses.dtype)
    active = ops.cast(violation > 0, losses.dtype)

    def mean(values: Tensor, rows: Sequence[int] | None) -> Tensor:
        counted = has_negative
        if rows is not None:
            counted, values = (ops.take(x, np.asarray(rows, "int32"), axis=0) for x in (counted, values))
        return ops.sum(counted * values) / ops.maximum(ops.sum(counted), 1.0)

    return Triplets(
        sum(mean(losses, rows) for rows in groups), sum(mean(active, rows) for rows in groups) / len(groups)
    )
