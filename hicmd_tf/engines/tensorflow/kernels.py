"""Faster forms, for TensorFlow on a CPU, of what `method.networks` computes in `keras.ops` (see `networks/fast.py`).

Each returns NotImplemented for what it does not compute: double precision, and everything on a GPU, where XLA and
cuDNN do better than image by image.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from hicmd_tf.engines.tensorflow import replicas
from hicmd_tf.method.networks.layers import LEAKY_SLOPE
from hicmd_tf.method.networks.norms import EPSILON, KindGroups, Normalised
from hicmd_tf.notation import Tensor

FORMS: dict[str, Callable[..., Any]] = {}
"""By the name of the plain form."""

SMALL = 1 << 14  # entries of a group, at most, and
MANY = 8  # groups, at least, for which one norm of all of them, transposed, is faster and a smaller graph
NORM = {"epsilon": EPSILON, "is_training": True}


def _form(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function the form of its name."""
    FORMS[function.__name__] = function
    return function


def _fits(x: Tensor) -> bool:
    """Whether x is computed on a CPU, in other than double precision."""
    return keras.backend.standardize_dtype(x.dtype) != "float64" and not _on_gpu()


@cache
def _on_gpu() -> bool:
    return bool(tf.config.list_logical_devices("GPU"))


# --------------------------------------------------------------------------------------------------------------- norms


@_form
def instance_norm(x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
    """An image is a group of one. Their number must be known."""
    if not _fits(x) or x.shape[0] is None:
        return NotImplemented
    if scale is None or shift is None:
        scale, shift = tf.ones((x.shape[-1],)), tf.zeros((x.shape[-1],))
    return _fused(x, [1] * x.shape[0], tf.cast(scale, "float32"), tf.cast(shift, "float32"))[0]


@_form
def group_norm(x: Tensor, sizes: Sequence[int], gamma: Tensor, beta: Tensor) -> Any:
    """In float32, whatever x is."""
    if not _fits(x):
        return NotImplemented
    maps = x if len(x.shape) == 4 else tf.reshape(x, (-1, 1, 1, x.shape[-1]))
    y, *statistics = _fused(maps, sizes, gamma, beta)
    means, variances = (tf.reshape(one, (-1, x.shape[-1])) for one in statistics)
    return Normalised(y if maps is x else tf.reshape(y, tf.shape(x)), means, variances)


def _fused(
    maps: Tensor, sizes: Sequence[int], gamma: Tensor, beta: Tensor
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """TensorFlow's fused kernel for groups of rows of maps (B, H, W, C), gamma and beta (C,) or (G, C).

    Many small groups go through it as one, their channels side by side; large or few ones go one by one, which reads
    and writes them less often. One gradient serves all of them. It asks nothing of the statistics, which are what
    follows y, (C,) each or all of them (G C,): TensorFlow's own would carry zeros for them.
    """
    own, channels, count = len(gamma.shape) == 2, maps.shape[-1], max(len(sizes), 1)
    beside = (
        count >= MANY and len(set(sizes)) == 1 and None not in maps.shape and math.prod(maps.shape) <= count * SMALL
    )

    def apart(rows: Tensor) -> list[Tensor]:
        if beside:  # (G, n, C) -> (1, n, 1, G C)
            pixels = tf.transpose(tf.reshape(rows, (count, -1, channels)), (1, 0, 2))
            return [tf.reshape(pixels, (1, -1, 1, count * channels))]
        return tf.split(rows, sizes) if count > 1 else [rows]

    def together(parts: list[Tensor]) -> Tensor:
        if beside:
            pixels = tf.transpose(tf.reshape(parts[0], (-1, count, channels)), (1, 0, 2))
            return tf.reshape(pixels, maps.shape)
        return tf.concat(parts, 0) if count > 1 else parts[0]

    def of_each(vector: Tensor) -> list[Tensor]:
        if beside:
            return [tf.reshape(vector, (-1,)) if own else tf.tile(vector, (count,))]
        return tf.unstack(vector) if own else [vector] * count

    def of_all(vectors: list[Tensor]) -> Tensor:
        if beside:
            rows = tf.reshape(vectors[0], (count, channels))
            return rows if own else tf.reduce_sum(rows, 0)
        return tf.stack(vectors) if own else tf.add_n(vectors)

    statistics: list[list[Tensor]] = []

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def normalise(maps: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, object]:
        scope = _gradients_scope()
        parts, scales, empty = apart(maps), of_each(gamma), tf.zeros((0,), "float32")
        found = [
            tf.raw_ops.FusedBatchNormV3(x=part, scale=scale, offset=offset, mean=empty, variance=empty, **NORM)
            for part, scale, offset in zip(parts, scales, of_each(beta), strict=True)
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
                        **NORM,
                    )
                    for arrived, part, scale, one in zip(apart(upstream), parts, scales, found, strict=True)
                ]
                of_maps, of_gamma, of_beta = (list(of) for of in zip(*(one[:3] for one in back), strict=True))
                return together(of_maps), of_all(of_gamma), of_all(of_beta)

        return together([one.y for one in found]), gradients

    y = normalise(maps, tf.convert_to_tensor(gamma), tf.convert_to_tensor(beta))
    return y, *statistics


@_form
def of_all_devices(statistics: list[Tensor], groups: KindGroups) -> Any:
    """Gathered from the replicas, and put in the order in which one device with all groups would have them."""
    if replicas.count() == 1:
        return NotImplemented
    kinds, each = len(groups.kinds), groups.each
    return [
        tf.reshape(tf.transpose(tf.reshape(one, (-1, kinds, each, one.shape[-1])), (1, 0, 2, 3)), (-1, one.shape[-1]))
        for one in replicas.gather(statistics)
    ]


# ---------------------------------------------------------------------------------------------------------------- maps


@_form
def leaky_relu(x: Tensor) -> Tensor:
    """Its gradient looks at the output's sign, so that the input's memory is free and a convolution can take the
    activation in."""
    if not _fits(x):
        return NotImplemented

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def activation(x: Tensor) -> tuple[Tensor, object]:
        y = tf.nn.leaky_relu(x, LEAKY_SLOPE)
        return y, lambda upstream: tf.raw_ops.LeakyReluGrad(gradients=upstream, features=y, alpha=LEAKY_SLOPE)

    return activation(x)


Mode = Literal["reflect", "symmetric"]


@_form
def mirrored(x: Tensor, pad: int, mode: Mode) -> Tensor:
    """With TensorFlow's gradient, and a faster way forth."""
    if not _fits(x):
        return NotImplemented
    paddings = ((0, 0), (pad, pad), (pad, pad), (0, 0))

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def padding(x: Tensor) -> tuple[Tensor, object]:
        scope = _gradients_scope()

        def gradient(upstream: Tensor) -> Tensor:
            with tf.name_scope(scope):
                return tf.raw_ops.MirrorPadGrad(input=upstream, paddings=paddings, mode=mode.upper())

        return _padded(x, pad, mode), gradient

    return padding(x)


def _padded(x: Tensor, pad: int, mode: Mode) -> Tensor:
    """The same without a gradient. Picking pixels by number takes a third of the time of tf.pad, which is for unknown
    sizes, as exported models have them."""
    if None in x.shape:
        return tf.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode)
    batch, height, width, channels = x.shape
    pixels = _padded_pixels(height, width, pad, mode)
    return tf.gather(tf.reshape(x, (batch, height * width, channels)), pixels, axis=1)


@cache
def _padded_pixels(height: int, width: int, pad: int, mode: Mode) -> Tensor:
    """Which pixel of a map, counted row by row, each of the padded map shows. One tensor for all graphs that use it."""
    pixels = np.pad(np.arange(height * width, dtype="int32").reshape(height, width), pad, mode)
    with tf.init_scope():
        return tf.constant(pixels)


def _gradients_scope() -> str:
    """For gradients' operations, so that a profile says whose they are."""
    return f"gradient_tape/{tf.get_current_name_scope()}/"


@_form
def reflected_convolution(x: Tensor, kernel: Tensor, stride: int, dilation: int) -> Tensor:
    """Its gradient pads the map a second time: what is kept in between is the map, which others keep as well, and not a
    padded copy.
    """
    pad = kernel.shape[0] // 2
    if not (_fits(x) and pad and dilation == 1):
        return NotImplemented
    paddings = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    scope = _gradients_scope()
    how = {"strides": (1, stride, stride, 1), "padding": "VALID"}

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def convolution(x: Tensor, kernel: Tensor) -> tuple[Tensor, object]:
        def gradients(upstream: Tensor) -> tuple[Tensor, Tensor]:
            with tf.name_scope(scope):
                with tf.control_dependencies([upstream]):  # else the graph would keep the first padding for this one
                    padded = _padded(tf.identity(x), pad, "reflect")
                sizes = tf.shape(x) + 2 * tf.constant((0, pad, pad, 0))
                of_padded = tf.raw_ops.Conv2DBackpropInput(
                    input_sizes=sizes, filter=kernel, out_backprop=upstream, **how
                )
                of_x = tf.raw_ops.MirrorPadGrad(input=of_padded, paddings=paddings, mode="REFLECT")
                return of_x, tf.raw_ops.Conv2DBackpropFilter(
                    input=padded, filter_sizes=tf.shape(kernel), out_backprop=upstream, **how
                )

        return tf.raw_ops.Conv2D(input=_padded(x, pad, "reflect"), filter=kernel, **how), gradients

    return convolution(x, tf.convert_to_tensor(kernel))  # a variable would not be an argument


@_form
def convolve(x: Tensor, kernel: Tensor, stride: int, dilation: int) -> Tensor:
    """A dilated convolution in double precision as a sum of shifted 1 x 1 ones: TensorFlow has no gradient for it."""
    if dilation == 1 or keras.backend.standardize_dtype(x.dtype) != "float64":
        return NotImplemented
    size = kernel.shape[0]
    height, width = (length - dilation * (size - 1) for length in ops.shape(x)[1:3])
    total = 0.0
    for row in range(size):
        for column in range(size):
            top, left = row * dilation, column * dilation
            total = total + ops.matmul(x[:, top : top + height, left : left + width], kernel[row, column])
    return total


@_form
def with_border(y: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """In the memory of y where nobody else needs it."""
    if not _fits(y):
        return NotImplemented
    batch, height, width, _ = ops.shape(y)
    y = tf.tensor_scatter_nd_add(y, _places(batch, (0, height - 1)), rows)
    return tf.tensor_scatter_nd_add(y, _places(batch, tf.range(height), (0, width - 1)), columns)


def _places(*axes: Any) -> Tensor:
    """Indices (B, .., number of axes) of every image and every combination of positions along the axes."""
    images, *positions = axes
    return tf.stack(tf.meshgrid(tf.range(images), *positions, indexing="ij"), axis=-1)
