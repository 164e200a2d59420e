"""G, the decoder that both modalities share: x = G(p, a), an image of a prototype and an attribute code (Sec. 3.2)."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from hicmd_tf.method.networks.convolutions import ConvolutionBlock, ResidualBlock
from hicmd_tf.method.networks.fast import replaceable
from hicmd_tf.method.networks.layers import Shape, build_chain, kaiming, leaky_relu, run_chain, serialisable
from hicmd_tf.method.precision import accurate, full_precision
from hicmd_tf.notation import Tensor


@serialisable
class Perceptron(keras.layers.Layer):
    """Three dense layers, LeakyReLU between them. chunk (B, D) -> (B, units)."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**{"dtype": full_precision(), **kwargs})
        self.units = units
        self.dense = [
            keras.layers.Dense(units, kernel_initializer=kaiming(), name=f"dense_{i}", dtype=self.dtype_policy)
            for i in range(3)
        ]

    def build(self, input_shape: Shape) -> None:
        for i, layer in enumerate(self.dense):
            layer.build(input_shape if i == 0 else (None, self.units))

    def call(self, x: Tensor) -> Tensor:
        first, second, third = self.dense
        return third(leaky_relu(second(leaky_relu(first(x)))))


@replaceable
def each_on_its_own(perceptrons: Sequence[Perceptron], inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """Equal perceptrons, each of its own input (B, D): (B, units) of each."""
    return [perceptron(x) for perceptron, x in zip(perceptrons, inputs, strict=True)]


@serialisable
class Decoder(keras.layers.Layer):
    """(p (B, h, w, channels), a (B, D)) -> image (B, 4h, 4w, 3) in normalised colours, unbounded.

    Where one prototype goes with several attribute codes, prototypes (B / n, h, w, channels) do: the first is that of
    codes 0, B / n, ..; what doesn't depend on attributes is computed once.

    Chunk k of the attribute code steers residual block k: one perceptron makes the AdaIN scales of its two
    convolutions, another the shifts.

    channels: of the prototype. residual_blocks: as many as the attribute code has chunks. widths: channels after the
    two upsamplings.
    """

    def __init__(self, channels: int, residual_blocks: int, widths: list[int], **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})  # attributes keep their precision
        self.channels, blocks = channels, range(residual_blocks)
        self.scales = [Perceptron(2 * channels, name=f"scales_{k}") for k in blocks]
        self.shifts = [Perceptron(2 * channels, name=f"shifts_{k}") for k in blocks]
        self.residuals = [ResidualBlock(channels, "adaptive", name=f"residual_{k}") for k in blocks]
        self.upsampled = [
            ConvolutionBlock(width, 5, upsample=True, norm="layer", name=f"upsampled_{i}")
            for i, width in enumerate(widths)
        ]
        self.refine = [ConvolutionBlock(widths[-1], 3, name=f"refine_{i}") for i in range(2)]
        self.colour = ConvolutionBlock(3, 1, activation=False, name="colour")

    def build(self, input_shape: tuple[Shape, Shape]) -> None:
        """input_shape: of prototype and attributes (B, D)."""
        chunk = (None, (input_shape[1][-1] or 0) // len(self.residuals))
        for scales, shifts, residual in zip(self.scales, self.shifts, self.residuals, strict=True):
            scales.build(chunk)
            shifts.build(chunk)
            residual.build((None, None, None, self.channels))
        build_chain([*self.upsampled, *self.refine, self.colour], self.channels)

    def call(self, codes: tuple[Tensor, Tensor]) -> Tensor:
        prototype, attributes = codes  # (B / n, h, w, 256), (B, 2048)
        x = ops.cast(prototype, self.compute_dtype)
        chunks = ops.split(attributes, len(self.residuals), axis=1)  # 4 of (B, 512)
        steering = each_on_its_own([*self.scales, *self.shifts], [*chunks, *chunks])
        for number, residual in enumerate(self.residuals):
            x = residual(x, steering[number], steering[number + len(chunks)])
        x = run_chain(self.upsampled, x)  # (B, 2h, 2w, 128), (B, 4h, 4w, 64)
        return accurate(self.colour(run_chain(self.refine, x)))  # (B, 4h, 4w, 3)
