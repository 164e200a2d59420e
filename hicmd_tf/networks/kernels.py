"""TensorFlow's own kernels where they are much faster than their `keras.ops` equals, which stand beside their uses."""

import keras
from keras import ops

from hicmd_tf.notation import Tensor


def are_for(x: Tensor) -> bool:
    """Whether x (B, ..., C) can go through them: on TensorFlow, in other than double precision."""
    return keras.backend.backend() == "tensorflow" and keras.backend.standardize_dtype(x.dtype) != "float64"


def batch_norm(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """Each channel of x (B, ..., C) with mean 0 and (biased) variance 1, times gamma (C,), plus beta (C,); and the
    channels' means and unbiased variances. gamma, beta and statistics are float32, whatever x is."""
    import tensorflow as tf

    maps = x if len(x.shape) == 4 else ops.reshape(x, (-1, 1, 1, x.shape[-1]))
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=maps, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
    )
    return ops.reshape(y, ops.shape(x)), mean, variance


def leaky_relu(x: Tensor, slope: float) -> Tensor:
    """max(x, slope x) with 0 < slope < 1. Its gradient looks at the output's sign, so that the input's memory is free
    and a convolution can take the activation in."""
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def activation(x: Tensor) -> tuple[Tensor, object]:
        y = tf.nn.leaky_relu(x, slope)
        return y, lambda upstream: tf.raw_ops.LeakyReluGrad(gradients=upstream, features=y, alpha=slope)

    return activation(x)
