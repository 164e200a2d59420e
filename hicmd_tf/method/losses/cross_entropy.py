"""The identity classification loss (Eq. 8)."""

from keras import ops

from hicmd_tf.method.losses.precision import accurate
from hicmd_tf.notation import Tensor


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean of -log p(y|f) over R rows (Eq. 8), no label smoothing. logits: (R, N); labels: (R,) in 0 to N - 1."""
    return ops.mean(ops.sparse_categorical_crossentropy(labels, accurate(logits), from_logits=True))
