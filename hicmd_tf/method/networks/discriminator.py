"""D, the discriminator of one modality, at several scales (Eq. 7)."""

from typing import Any

import keras
from keras import ops

from hicmd_tf.method.networks.convolutions import ConvolutionBlock, ResidualBlock
from hicmd_tf.method.networks.layers import Shape, build_chain, run_chain, serialisable
from hicmd_tf.notation import Tensor


def halve(x: Tensor) -> Tensor:
    """Means of 3 x 3 windows at stride 2, padded by a pixel that does not count. (B, H, W, C) -> (B, H/2, W/2, C).

    Odd sizes are rounded up.
    """

    def sums(values: Tensor) -> Tensor:
        padded = ops.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0)))
        return 9 * ops.average_pool(padded, 3, 2, padding="valid", data_format="channels_last")

    return sums(x) / sums(ops.ones_like(x[:1, :, :, :1]))


@serialisable
class ScaleDiscriminator(keras.layers.Layer):
    """One scale: (B, H, W, 3) -> score map (B, H/4, W/4, 1), high for real."""

    def __init__(self, width: int, residual_blocks: int, deviation: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        shapes = ((width, 1, 1), (width, 3, 1), (width, 3, 2), (width, 3, 1), (2 * width, 3, 2))
        self.convolutions = [
            ConvolutionBlock(filters, size, stride, deviation=deviation, name=f"convolution_{i}")
            for i, (filters, size, stride) in enumerate(shapes)
        ]
        self.residuals = [
            ResidualBlock(2 * width, deviation=deviation, name=f"residual_{i}") for i in range(residual_blocks)
        ]
        self.score = ConvolutionBlock(1, 1, activation=False, deviation=deviation, name="score")

    def build(self, input_shape: Shape) -> None:
        build_chain([*self.convolutions, *self.residuals, self.score], input_shape[-1])

    def call(self, x: Tensor) -> Tensor:
        # (B, H, W, 32) twice, (B, H/2, W/2, 32) twice, then (B, H/4, W/4, 64) and the scores (B, H/4, W/4, 1)
        return run_chain([*self.convolutions, *self.residuals, self.score], x)


@serialisable
class Discriminator(keras.layers.Layer):
    """(B, H, W, 3) -> score maps (B, H/4, W/4, 1), (B, H/8, W/8, 1) .., one per scale, weights of their own each.

    deviation: standard deviation of normal initial weights; None for Kaiming.
    """

    def __init__(
        self, scales: int, width: int, residual_blocks: int, deviation: float | None = 0.02, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.scales = [ScaleDiscriminator(width, residual_blocks, deviation, name=f"scale_{s}") for s in range(scales)]

    def build(self, input_shape: Shape) -> None:
        for scale in self.scales:
            scale.build(input_shape)

    def call(self, x: Tensor) -> list[Tensor]:
        return [self.at_scale(x, number) for number in range(len(self.scales))]

    def at_scale(self, x: Tensor, number: int) -> Tensor:
        """The score map (B, h, w, 1) of one scale."""
        for _ in range(number):
            x = halve(x)
        return self.scales[number](x)
