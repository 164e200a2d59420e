"""Convolutions and blocks of the networks outside the ResNets; the ResNets' padding by zeros.

Outside the ResNets everything pads by reflection, carries biases and uses LeakyReLU (released; the paper is silent).
"""

from typing import Any, Literal

import keras
from keras import ops

from hicmd_tf.method.networks.fast import replaceable
from hicmd_tf.method.networks.layers import Shape, build_chain, kaiming, leaky_relu, normal, serialisable
from hicmd_tf.method.networks.norms import ImageLayerNorm, instance_norm
from hicmd_tf.method.networks.upsampling import mirrored, upsampled_convolution
from hicmd_tf.notation import Tensor

Norm = Literal["none", "instance", "adaptive", "layer"]


def as_many(x: Tensor, rows: Tensor) -> Tensor:
    """x (B / n, ..) repeated as a whole to as many rows as the other (B, ..) has."""
    have, wanted = x.shape[0], rows.shape[0]
    return x if have == wanted else ops.tile(x, (wanted // have, *(1 for _ in x.shape[1:])))


@replaceable
def convolve(x: Tensor, kernel: Tensor, stride: int, dilation: int) -> Tensor:
    """Valid convolution of (B, H, W, C) by a kernel (k, k, C, F)."""
    return ops.conv(x, kernel, strides=stride, padding="valid", data_format="channels_last", dilation_rate=dilation)


@replaceable
def reflected_convolution(x: Tensor, kernel: Tensor, stride: int, dilation: int) -> Tensor:
    """Convolution of (B, H, W, C), padded by reflection so that stride 1 keeps the size, by a kernel (k, k, C, F)."""
    pad = dilation * (kernel.shape[0] // 2)
    return convolve(mirrored(x, pad, "reflect") if pad else x, kernel, stride, dilation)


@replaceable
def biased(x: Tensor, bias: Tensor) -> Tensor:
    """(B, H, W, C) plus a bias (C,)."""
    return x + bias


def zero_padded_convolution(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """Convolution of (B, H, W, C), padded by zeros so that stride 1 keeps the size, by a kernel (k, k, C, F)."""
    pad = kernel.shape[0] // 2
    if stride == 1 and pad:
        return ops.conv(x, kernel, padding="same", data_format="channels_last")
    # 'same' would pad only below and to the right
    padded = ops.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0))) if pad else x
    return convolve(padded, kernel, stride, 1)


@serialisable
class Convolution(keras.layers.Layer):
    """Reflection padding that keeps the size (halves it at stride 2), a convolution, a bias.

    filters: output channels. kernel_size: odd. stride, dilation: one of them is 1.
    upsample: whether the input is first doubled by nearest neighbours; goes with a kernel_size of 5 and no stride.
    deviation: standard deviation of normal initial weights; None for Kaiming.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
        upsample: bool = False,
        deviation: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels, self.kernel_size, self.stride, self.dilation = filters, kernel_size, stride, dilation
        self.upsample, self.deviation = upsample, deviation

    def build(self, input_shape: Shape) -> None:
        weights = kaiming() if self.deviation is None else normal(0.0, self.deviation)
        shape = (self.kernel_size, self.kernel_size, input_shape[-1], self.channels)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=weights)
        self.bias = self.add_weight(name="bias", shape=(self.channels,), initializer="zeros")

    def call(self, x: Tensor) -> Tensor:
        kernel, bias = ops.convert_to_tensor(self.kernel), ops.convert_to_tensor(self.bias)
        if self.upsample:
            return upsampled_convolution(x, kernel, bias)
        return biased(reflected_convolution(x, kernel, self.stride, self.dilation), bias)


@serialisable
class ConvolutionBlock(keras.layers.Layer):
    """Convolution, norm, LeakyReLU, in that order; norm and activation may be missing.

    norm: none, instance, adaptive (takes scale and shift (B, filters) when called, and then x may have B / n rows, each
    for n of them: see `as_many`) or layer.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
        upsample: bool = False,
        norm: Norm = "none",
        activation: bool = True,
        deviation: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels, self.norm, self.activation = filters, norm, activation
        self.convolution = Convolution(filters, kernel_size, stride, dilation, upsample, deviation, name="convolution")
        self.layer_norm = ImageLayerNorm(name="layer_norm") if norm == "layer" else None

    def build(self, input_shape: Shape) -> None:
        self.convolution.build(input_shape)
        if self.layer_norm is not None:
            self.layer_norm.build((*input_shape[:-1], self.channels))

    def call(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        x = self.convolution(x)
        if self.norm == "instance":
            x = instance_norm(x)
        elif self.norm == "adaptive":
            x = instance_norm(as_many(x, scale), scale, shift)
        elif self.layer_norm is not None:
            x = self.layer_norm(x)
        return leaky_relu(x) if self.activation else x


@serialisable
class ResidualBlock(keras.layers.Layer):
    """x + conv(conv(x)), 3 x 3 each, activation only between the two, none after the sum.

    With norm `adaptive` it is called with scales and shifts (B, 2 * filters): the first half for the first convolution.
    """

    def __init__(self, filters: int, norm: Norm = "none", deviation: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels = filters
        self.first = ConvolutionBlock(filters, 3, norm=norm, deviation=deviation, name="first")
        self.second = ConvolutionBlock(filters, 3, norm=norm, activation=False, deviation=deviation, name="second")

    def build(self, input_shape: Shape) -> None:
        build_chain((self.first, self.second), input_shape[-1])

    def call(self, x: Tensor, scales: Tensor | None = None, shifts: Tensor | None = None) -> Tensor:
        if scales is None or shifts is None:
            return x + self.second(self.first(x))
        half = self.channels
        inner = self.first(x, scales[:, :half], shifts[:, :half])
        return as_many(x, inner) + self.second(inner, scales[:, half:], shifts[:, half:])
