"""E^p, the prototype encoder of one modality: p = E^p(x), the underlying form of a person (Sec. 3.1)."""

from typing import Any

import keras
from keras import ops

from hicmd_tf.method.networks.layers import ConvolutionBlock, ResidualBlock, Shape, serialisable, tracked
from hicmd_tf.notation import Tensor


@serialisable
class AtrousPyramid(keras.layers.Layer):
    """ASPP: a 1 x 1 branch and dilated ones beside it, concatenated and fused. (B, h, w, C) -> (B, h, w, 4 width)."""

    def __init__(self, width: int, dilations: list[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.dilations = list(dilations)
        self.point = ConvolutionBlock(width, 1, norm="instance", activation=False, name="point")
        self.reductions = tracked(
            self, [ConvolutionBlock(width, 1, norm="instance", name=f"reduction_{d}") for d in dilations]
        )
        self.dilated = tracked(
            self,
            [
                ConvolutionBlock(width, 3, dilation=d, norm="instance", activation=False, name=f"dilated_{d}")
                for d in dilations
            ],
        )
        self.fuse = ConvolutionBlock(self.channels, 1, norm="instance", activation=False, name="fuse")

    @property
    def channels(self) -> int:
        """Output channels."""
        return self.width * (1 + len(self.dilations))

    def build(self, input_shape: Shape) -> None:
        self.point.build(input_shape)
        for reduction, dilated in zip(self.reductions, self.dilated, strict=True):
            reduction.build(input_shape)
            dilated.build((*input_shape[:-1], self.width))
        self.fuse.build((*input_shape[:-1], self.channels))

    def call(self, x: Tensor) -> Tensor:
        branches = [self.point(x)]
        branches += [dilated(reduction(x)) for reduction, dilated in zip(self.reductions, self.dilated, strict=True)]
        return self.fuse(ops.concatenate(branches, axis=-1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "dilations": self.dilations}


@serialisable
class PrototypeEncoder(keras.Model):
    """x (B, H, W, 3) -> p (B, H/4, W/4, 4 aspp_width), every channel of every image with mean 0 and variance 1.

    widths: channels of the four convolutions, of which the first and the last have stride 2.
    """

    def __init__(
        self, widths: list[int], residual_blocks: int, aspp_width: int, dilations: list[int], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sizes: dict[str, Any] = {
            "widths": list(widths),
            "residual_blocks": residual_blocks,
            "aspp_width": aspp_width,
            "dilations": list(dilations),
        }
        self.convolutions = tracked(
            self,
            [
                ConvolutionBlock(width, 3, stride, norm="instance", name=f"convolution_{i}")
                for i, (width, stride) in enumerate(zip(widths, (2, 1, 1, 2), strict=True))
            ],
        )
        self.residuals = tracked(
            self, [ResidualBlock(widths[-1], "instance", name=f"residual_{i}") for i in range(residual_blocks)]
        )
        self.pyramid = AtrousPyramid(aspp_width, dilations, name="pyramid")

    @property
    def channels(self) -> int:
        """Channels of a prototype."""
        return self.pyramid.channels

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        for convolution, width in zip(self.convolutions, self.sizes["widths"], strict=True):
            convolution.build((None, None, None, channels))
            channels = width
        for residual in self.residuals:
            residual.build((None, None, None, channels))
        self.pyramid.build((None, None, None, channels))

    def call(self, x: Tensor) -> Tensor:
        for convolution in self.convolutions:  # (B, H/2, W/2, 32) .. 64 .. 64 -> (B, H/4, W/4, 128)
            x = convolution(x)
        for residual in self.residuals:  # (B, H/4, W/4, 128)
            x = residual(x)
        return self.pyramid(x)  # (B, H/4, W/4, 256)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.sizes}
