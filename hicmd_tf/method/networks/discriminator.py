"""D, the discriminator of one modality, at several scales (Eq. 7)."""

from typing import Any

import keras
from keras import ops

from hicmd_tf.method.networks.convolutions import ConvolutionBlock, ResidualBlock
from hicmd_tf.method.networks.layers import Shape, Sized, serialisable
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
class ScaleDiscriminator(Sized, keras.layers.Layer):
    """One scale: (B, H, W, 3) -> score map (B, H/4, W/4, 1), high for real."""

    def __init__(self, width: int, residual_blocks: int, deviation: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sizes = {"width": width, "residual_blocks": residual_blocks, "deviation": deviation}
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
        channels = input_shape[-1]
        for block in self.convolutions:
            block.build((None, None, None, channels))
            channels = block.convolution.filters
        for residual in self.residuals:
            residual.build((None, None, None, channels))
        self.score.build((None, None, None, channels))

    def call(self, x: Tensor) -> Tensor:
        # Outputs: (B, H, W, 32) twice, (B, H/2, W/2, 32) twice, (B, H/4, W/4, 64)
        for convolution in self.convolutions:
            x = convolution(x)
        for residual in self.residuals:  # (B, H/4, W/4, 64)
            x = residual(x)
        return self.score(x)


@serialisable
class Discriminator(Sized, keras.Model):
    """(B, H, W, 3) -> score maps (B, H/4, W/4, 1), (B, H/8, W/8, 1) .., one a scale, weights of their own each.

    deviation: standard deviation of normal initial weights; None for Kaiming.
    """

    def __init__(
        self, scales: int, width: int, residual_blocks: int, deviation: float | None = 0.02, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sizes = {
            "scales": scales,
            "width": width,
            "residual_blocks": residual_blocks,
            "deviation": deviation,
        }
        self.scales = [ScaleDiscriminator(width, residual_blocks, deviation, name=f"scale_{s}") for s in range(scales)]

    def build(self, input_shape: Shape) -> None:
        for scale in self.scales:
            scale.build((None, None, None, input_shape[-1]))

    def call(self, x: Tensor) -> list[Tensor]:
        maps = []
        for position, scale in enumerate(self.scales):
            x = halve(x) if position else x
            maps.append(scale(x))
        return maps
