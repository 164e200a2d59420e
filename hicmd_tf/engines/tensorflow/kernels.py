"""TensorFlow's own kernels where they are much faster than their `keras.ops` equals, which stand beside their uses."""

from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple

import keras
import numpy as np
from keras import ops

from hicmd_tf.notation import Tensor


def are_for(x: Tensor) -> bool:
    """Whether x (B, ..., C) can go through them: on TensorFlow, in other than double precision."""
    return keras.backend.backend() == "tensorflow" and keras.backend.standardize_dtype(x.dtype) != "float64"


class Normalised(NamedTuple):
    """y (B, ..., C); and of each group the channels' means and unbiased variances (C,), which carry no gradient."""

    y: Tensor
    means: list[Tensor]
    variances: list[Tensor]


def batch_norm(x: Tensor, sizes: Sequence[int], gamma: Tensor, beta: Tensor, epsilon: float) -> Normalised:
    """Each channel of each group of rows of x (B, ..., C) with mean 0 and (biased) variance 1, times gamma, plus beta.

    sizes: the groups' rows, or none for a single group. gamma, beta: (C,), or (G, C) with a row for each of the groups;
    they and the statistics are float32, whatever x is.
    """
    import tensorflow as tf

    maps = x if len(x.shape) == 4 else ops.reshape(x, (-1, 1, 1, x.shape[-1]))
    own, count = len(gamma.shape) == 2, max(len(sizes), 1)
    how = {"epsilon": epsilon, "is_training": True}
    statistics: list[list[Tensor]] = []

    def of_groups(rows: Tensor) -> list[Tensor]:
        return tf.split(rows, sizes) if count > 1 else [rows]

    # One gradient for all groups, which asks nothing of the statistics: TensorFlow's own would carry zeros for them.
    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def normalise(maps: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, object]:
        scope = _gradients_scope()
        parts, empty = of_groups(maps), tf.zeros((0,), "float32")
        gammas, betas = (tf.unstack(each) if own else [each] * count for each in (gamma, beta))
        found = [
            tf.raw_ops.FusedBatchNormV3(x=part, scale=scale, offset=offset, mean=empty, variance=empty, **how)
            for part, scale, offset in zip(parts, gammas, betas, strict=True)
        ]
        statistics[:] = [one.batch_mean for one in found], [one.batch_variance for one in found]

        def gradients(upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            with tf.name_scope(scope):
                back = [
                    tf.raw_ops.FusedBatchNormGradV3(
                        y_backprop=arrived,
                        x=part,
                        scale=scale,
                        reserve_space_1=one.reserve_space_1,
                        reserve_space_2=one.reserve_space_2,
                        reserve_space_3=one.reserve_space_3,
                        **how,
                    )
                    for arrived, part, scale, one in zip(of_groups(upstream), parts, gammas, found, strict=True)
                ]
                together = tf.stack if own else tf.add_n
                of_gamma, of_beta = together([one[1] for one in back]), together([one[2] for one in back])
                return _joined([one[0] for one in back]), of_gamma, of_beta

        return _joined([one.y for one in found]), gradients

    y = normalise(maps, tf.convert_to_tensor(gamma), tf.convert_to_tensor(beta))
    return Normalised(y if maps is x else ops.reshape(y, ops.shape(x)), *statistics)


def _joined(parts: list[Tensor]) -> Tensor:
    return ops.concatenate(parts) if len(parts) > 1 else parts[0]


def leaky_relu(x: Tensor, slope: float) -> Tensor:
    """max(x, slope x) with 0 < slope < 1. Its gradient looks at the output's sign, so that the input's memory is free
    and a convolution can take the activation in."""
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def activation(x: Tensor) -> tuple[Tensor, object]:
        y = tf.nn.leaky_relu(x, slope)
        return y, lambda upstream: tf.raw_ops.LeakyReluGrad(gradients=upstream, features=y, alpha=slope)

    return activation(x)


def mirrored(x: Tensor, pad: int, outermost: bool = False) -> Tensor:
    """(B, H, W, C) -> (B, H + 2 pad, W + 2 pad, C), mirrored at the border. outermost: whether the outermost pixels are
    repeated themselves ("symmetric") or not ("reflect")."""
    import tensorflow as tf

    paddings = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    mode = "SYMMETRIC" if outermost else "REFLECT"

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def padding(x: Tensor) -> tuple[Tensor, object]:
        scope = _gradients_scope()

        def gradient(upstream: Tensor) -> Tensor:
            with tf.name_scope(scope):
                return tf.raw_ops.MirrorPadGrad(input=upstream, paddings=paddings, mode=mode)

        return _mirrored(x, pad, outermost), gradient

    return padding(x)


def _mirrored(x: Tensor, pad: int, outermost: bool = False) -> Tensor:
    """The same without a gradient. Picking pixels by number takes a third of the time of tf.pad, which is for unknown
    sizes, as exported models have them."""
    import tensorflow as tf

    mode: Literal["symmetric", "reflect"] = "symmetric" if outermost else "reflect"
    if None in x.shape:
        return tf.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode)
    batch, height, width, channels = x.shape
    pixels = _padded_pixels(height, width, pad, mode)
    return tf.gather(tf.reshape(x, (batch, height * width, channels)), pixels, axis=1)


@cache
def _padded_pixels(height: int, width: int, pad: int, mode: Literal["symmetric", "reflect"]) -> Tensor:
    """Which pixel of a map, counted row by row, each of the padded map shows. One tensor for all graphs that use it."""
    import tensorflow as tf

    pixels = np.pad(np.arange(height * width, dtype="int32").reshape(height, width), pad, mode)
    with tf.init_scope():
        return tf.constant(pixels)


def _gradients_scope() -> str:
    """For gradients' operations, so that a profile says whose they are."""
    import tensorflow as tf

    return f"gradient_tape/{tf.get_current_name_scope()}/"


def reflected_convolution(x: Tensor, kernel: Tensor, pad: int, stride: int) -> Tensor:
    """Valid convolution of (B, H, W, C), padded by reflection, by a kernel (k, k, C, F).

    Its gradient pads the map a second time: what is kept in between is the map, which others keep as well, and not a
    padded copy.
    """
    import tensorflow as tf

    paddings = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    scope = _gradients_scope()
    how = {"strides": (1, stride, stride, 1), "padding": "VALID"}

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def convolution(x: Tensor, kernel: Tensor) -> tuple[Tensor, object]:
        def gradients(upstream: Tensor) -> tuple[Tensor, Tensor]:
            with tf.name_scope(scope):
                with tf.control_dependencies([upstream]):  # else the graph would keep the first padding for this one
                    padded = _mirrored(tf.identity(x), pad)
                sizes = tf.shape(x) + 2 * tf.constant((0, pad, pad, 0))
                of_padded = tf.raw_ops.Conv2DBackpropInput(
                    input_sizes=sizes, filter=kernel, out_backprop=upstream, **how
                )
                of_x = tf.raw_ops.MirrorPadGrad(input=of_padded, paddings=paddings, mode="REFLECT")
                return of_x, tf.raw_ops.Conv2DBackpropFilter(
                    input=padded, filter_sizes=tf.shape(kernel), out_backprop=upstream, **how
                )

        return tf.raw_ops.Conv2D(input=_mirrored(x, pad), filter=kernel, **how), gradients

    return convolution(x, tf.convert_to_tensor(kernel))  # a variable would not be an argument
