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


def reflected_convolution(x: Tensor, kernel: Tensor, pad: int, stride: int) -> Tensor:
    """Valid convolution of (B, H, W, C), padded by reflection, by a kernel (k, k, C, F).

    Its gradient pads the map a second time: what is kept in between is the map, which others keep as well, and not a
    padded copy.
    """
    import tensorflow as tf

    paddings = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    scope = f"gradient_tape/{tf.get_current_name_scope()}/"  # a profile says whose gradient it is
    how = {"strides": (1, stride, stride, 1), "padding": "VALID"}

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def convolution(x: Tensor, kernel: Tensor) -> tuple[Tensor, object]:
        def gradients(upstream: Tensor) -> tuple[Tensor, Tensor]:
            with tf.name_scope(scope):
                with tf.control_dependencies([upstream]):  # else the graph would keep the first padding for this one
                    padded = tf.pad(x, paddings, "REFLECT")
                sizes = tf.shape(x) + 2 * tf.constant((0, pad, pad, 0))
                of_padded = tf.raw_ops.Conv2DBackpropInput(
                    input_sizes=sizes, filter=kernel, out_backprop=upstream, **how
                )
                of_x = tf.raw_ops.MirrorPadGrad(input=of_padded, paddings=paddings, mode="REFLECT")
                return of_x, tf.raw_ops.Conv2DBackpropFilter(
                    input=padded, filter_sizes=tf.shape(kernel), out_backprop=upstream, **how
                )

        return tf.raw_ops.Conv2D(input=tf.pad(x, paddings, "REFLECT"), filter=kernel, **how), gradients

    return convolution(x, tf.convert_to_tensor(kernel))  # a variable would not be an argument
