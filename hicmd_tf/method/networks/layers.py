"""Padding, convolutions, norms and blocks of the networks outside the ResNets.

Everything here pads by reflection, carries biases and uses LeakyReLU with slope 0.3 (released; the paper is silent).
"""

from typing import Any, Literal, TypeVar

import keras
from keras import ops

from hicmd_tf.engines.tensorflow import kernels
from hicmd_tf.method.networks.normalisation import adaptive_instance_norm, instance_norm, layer_norm
from hicmd_tf.method.networks.upsampling import SIZE, upsampled_convolution
from hicmd_tf.notation import Tensor

LEAKY_SLOPE = 0.3

Norm = Literal["none", "instance", "adaptive", "layer"]
Shape = tuple[int | None, ...]
L = TypeVar("L", bound=keras.layers.Layer)


def serialisable(cls: type) -> type:
    """Registers a class so that Keras can rebuild it from its `get_config`."""
    return keras.saving.register_keras_serializable("hicmd_tf")(cls)


def tracked(owner: keras.layers.Layer, layers: list[L]) -> list[L]:
    """Makes every layer of a list an attribute of its owner too, under the layer's name: tf.train.Checkpoint does not
    look into Keras' lists and would silently leave their weights out."""
    for layer in layers:
        setattr(owner, layer.name, layer)
    return layers


def kaiming(mode: Literal["fan_in", "fan_out"] = "fan_in") -> keras.initializers.Initializer:
    """Kaiming normal weights for rectifiers, N(0, 2 / fan)."""
    return keras.initializers.VarianceScaling(2.0, mode, "untruncated_normal")


def leaky_relu(x: Tensor) -> Tensor:
    """max(x, 0.3 x)."""
    return kernels.leaky_relu(x, LEAKY_SLOPE) if kernels.are_for(x) else ops.maximum(x, LEAKY_SLOPE * x)


def reflect_pad(x: Tensor, pad: int) -> Tensor:
    """(B, H, W, C) -> (B, H + 2 pad, W + 2 pad, C), mirrored at the border without repeating it."""
    return ops.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect") if pad else x


def as_many(x: Tensor, rows: Tensor) -> Tensor:
    """x (B / n, ..) repeated as a whole to as many rows as the other (B, ..) has."""
    have, wanted = x.shape[0], rows.shape[0]
    return x if have == wanted else ops.tile(x, (wanted // have, *(1 for _ in x.shape[1:])))


@serialisable
class ImageLayerNorm(keras.layers.Layer):
    """`layer_norm` with a learned scale, drawn from U(0, 1), and shift a channel."""

    def build(self, input_shape: Shape) -> None:
        full = {"shape": (input_shape[-1],), "autocast": False}  # float32 also under a mixed_bfloat16 policy
        self.gamma = self.add_weight(name="gamma", initializer=keras.initializers.RandomUniform(0.0, 1.0), **full)
        self.beta = self.add_weight(name="beta", initializer="zeros", **full)

    def call(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.gamma, self.beta)


def convolve(x: Tensor, kernel: Tensor, stride: int, dilation: int) -> Tensor:
    """Valid convolution of (B, H, W, C) by a kernel (k, k, C, F)."""
    if dilation > 1 and keras.backend.standardize_dtype(x.dtype) == "float64":
        return _dilated_by_shifts(x, kernel, dilation)
    return ops.conv(x, kernel, strides=stride, padding="valid", data_format="channels_last", dilation_rate=dilation)


def reflected_convolution(x: Tensor, kernel: Tensor, stride: int, dilation: int) -> Tensor:
    """Convolution of (B, H, W, C), padded by reflection so that stride 1 keeps the size, by a kernel (k, k, C, F)."""
    pad = dilation * (kernel.shape[0] // 2)
    if pad and dilation == 1 and kernels.are_for(x):
        return kernels.reflected_convolution(x, ops.convert_to_tensor(kernel), pad, stride)
    return convolve(reflect_pad(x, pad), kernel, stride, dilation)


def zero_padded_convolution(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """Convolution of (B, H, W, C), padded by zeros so that stride 1 keeps the size, by a kernel (k, k, C, F)."""
    if stride == 1:
        return ops.conv(x, kernel, padding="same", data_format="channels_last")
    pad = kernel.shape[0] // 2  # 'same' would pad only below and to the right
    padded = ops.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0))) if pad else x
    return convolve(padded, kernel, stride, 1)


def _dilated_by_shifts(x: Tensor, kernel: Tensor, dilation: int) -> Tensor:
    """A dilated convolution as a sum of shifted 1 x 1 ones: in float64 TensorFlow has no gradient for it on CPU."""
    size = kernel.shape[0]
    height, width = (length - dilation * (size - 1) for length in ops.shape(x)[1:3])
    total = 0.0
    for row in range(size):
        for column in range(size):
            top, left = row * dilation, column * dilation
            total = total + ops.matmul(x[:, top : top + height, left : left + width], kernel[row, column])
    return total


@serialisable
class Convolution(keras.layers.Layer):
    """Reflection padding that keeps the size (halves it at stride 2), a convolution, a bias.

    filters: output channels. kernel_size: odd. stride, dilation: one of them is 1.
    upsample: whether the input is first doubled by nearest neighbours; for a kernel_size of 5, else ValueError.
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
        if upsample and (kernel_size, stride, dilation) != (SIZE, 1, 1):
            raise ValueError(
                f"upsample goes with kernel_size {SIZE} and no stride or dilation, received kernel_size {kernel_size}, "
                f"stride {stride}, dilation {dilation}"
            )
        self.filters = filters
        self.kernel_size = kernel_size
        self.stride = stride
        self.dilation = dilation
        self.upsample = upsample
        self.deviation = deviation

    def build(self, input_shape: Shape) -> None:
        normal = kaiming() if self.deviation is None else keras.initializers.RandomNormal(0.0, self.deviation)
        shape = (self.kernel_size, self.kernel_size, input_shape[-1], self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=normal)
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, x: Tensor) -> Tensor:
        if self.upsample:
            return upsampled_convolution(x, ops.convert_to_tensor(self.kernel), ops.convert_to_tensor(self.bias))
        return reflected_convolution(x, self.kernel, self.stride, self.dilation) + self.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.sizes()}

    def sizes(self) -> dict[str, Any]:
        """The arguments it was made with."""
        names = ("filters", "kernel_size", "stride", "dilation", "upsample", "deviation")
        return {name: getattr(self, name) for name in names}


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
        self.convolution = Convolution(filters, kernel_size, stride, dilation, upsample, deviation, name="convolution")
        self.norm = norm
        self.layer_norm = ImageLayerNorm(name="layer_norm") if norm == "layer" else None
        self.activation = activation

    def build(self, input_shape: Shape) -> None:
        self.convolution.build(input_shape)
        if self.layer_norm is not None:
            self.layer_norm.build((*input_shape[:-1], self.convolution.filters))

    def call(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        x = self.convolution(x)
        if self.norm == "instance":
            x = instance_norm(x)
        elif self.norm == "adaptive":
            x = adaptive_instance_norm(as_many(x, scale), scale, shift)
        elif self.layer_norm is not None:
            x = self.layer_norm(x)
        return leaky_relu(x) if self.activation else x

    def get_config(self) -> dict[str, Any]:
        sizes = self.convolution.sizes()
        return {**super().get_config(), **sizes, "norm": self.norm, "activation": self.activation}


@serialisable
class ResidualBlock(keras.layers.Layer):
    """x + conv(conv(x)), 3 x 3 each, activation only between the two, none behind the sum.

    With norm `adaptive` it is called with scales and shifts (B, 2 * filters): the first half for the first convolution.
    """

    def __init__(self, filters: int, norm: Norm = "none", deviation: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.norm = norm
        self.deviation = deviation
        self.first = ConvolutionBlock(filters, 3, norm=norm, deviation=deviation, name="first")
        self.second = ConvolutionBlock(filters, 3, norm=norm, activation=False, deviation=deviation, name="second")

    def build(self, input_shape: Shape) -> None:
        self.first.build(input_shape)
        self.second.build((*input_shape[:-1], self.filters))

    def call(self, x: Tensor, scales: Tensor | None = None, shifts: Tensor | None = None) -> Tensor:
        if scales is None or shifts is None:
            return x + self.second(self.first(x))
        half = self.filters
        inner = self.first(x, scales[:, :half], shifts[:, :half])
        return as_many(x, inner) + self.second(inner, scales[:, half:], shifts[:, half:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "norm": self.norm, "deviation": self.deviation}
