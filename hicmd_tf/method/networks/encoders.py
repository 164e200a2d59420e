"""The encoders of a modality (Sec. 3.1): E^p, the underlying form of a person; E^a, clothes, pose, illumination."""

from typing import Any

import keras
from keras import ops

from hicmd_tf.method.networks.convolutions import ConvolutionBlock, ResidualBlock
from hicmd_tf.method.networks.layers import Shape, Sized, serialisable
from hicmd_tf.method.networks.norms import Groups
from hicmd_tf.method.networks.resnet import Stage, Stem
from hicmd_tf.method.precision import accurate
from hicmd_tf.notation import Codes, Tensor


@serialisable
class AtrousPyramid(Sized, keras.layers.Layer):
    """ASPP: a 1 x 1 branch and dilated ones beside it, concatenated and fused. (B, h, w, C) -> (B, h, w, 4 width)."""

    def __init__(self, width: int, dilations: list[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sizes = {"width": width, "dilations": list(dilations)}
        self.point = ConvolutionBlock(width, 1, norm="instance", activation=False, name="point")
        self.reductions = [ConvolutionBlock(width, 1, norm="instance", name=f"reduction_{d}") for d in dilations]
        self.dilated = [
            ConvolutionBlock(width, 3, dilation=d, norm="instance", activation=False, name=f"dilated_{d}")
            for d in dilations
        ]
        self.fuse = ConvolutionBlock(self.channels, 1, norm="instance", activation=False, name="fuse")

    @property
    def channels(self) -> int:
        """Output channels."""
        return int(self.sizes["width"]) * (1 + len(self.dilated))

    def build(self, input_shape: Shape) -> None:
        self.point.build(input_shape)
        for reduction, dilated in zip(self.reductions, self.dilated, strict=True):
            reduction.build(input_shape)
            dilated.build((*input_shape[:-1], self.sizes["width"]))
        self.fuse.build((*input_shape[:-1], self.channels))

    def call(self, x: Tensor) -> Tensor:
        branches = [self.point(x)]
        branches += [dilated(reduction(x)) for reduction, dilated in zip(self.reductions, self.dilated, strict=True)]
        return self.fuse(ops.concatenate(branches, axis=-1))


@serialisable
class PrototypeEncoder(Sized, keras.Model):
    """x (B, H, W, 3) -> p (B, H/4, W/4, 4 aspp_width), every channel of every image with mean 0 and variance 1.

    widths: channels of the four convolutions, of which the first and the last have stride 2.
    """

    def __init__(
        self, widths: list[int], residual_blocks: int, aspp_width: int, dilations: list[int], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sizes = {
            "widths": list(widths),
            "residual_blocks": residual_blocks,
            "aspp_width": aspp_width,
            "dilations": list(dilations),
        }
        self.convolutions = [
            ConvolutionBlock(width, 3, stride, norm="instance", name=f"convolution_{i}")
            for i, (width, stride) in enumerate(zip(widths, (2, 1, 1, 2), strict=True))
        ]
        self.residuals = [ResidualBlock(widths[-1], "instance", name=f"residual_{i}") for i in range(residual_blocks)]
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


@serialisable
class AttributeEncoder(Sized, keras.Model):
    """x (B, H, W, 3) -> a (B, 4 widths[-1]): a whole ResNet and the mean over its last map, so every entry is >= 0.

    stem_width, widths, depths: the ResNet's sizes (ResNet-50: 64; 64, 128, 256, 512; 3, 4, 6, 3).
    stride_first: see `resnet.Bottleneck`.
    """

    def __init__(
        self, stem_width: int, widths: list[int], depths: list[int], stride_first: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sizes = {
            "stem_width": stem_width,
            "widths": list(widths),
            "depths": list(depths),
            "stride_first": stride_first,
        }
        self.stem = Stem(stem_width, name="stem")
        self.stages = [
            Stage(width, depth, 1 if i == 0 else 2, stride_first, name=f"stage_{i + 1}")
            for i, (width, depth) in enumerate(zip(widths, depths, strict=True))
        ]

    def build(self, input_shape: Shape) -> None:
        self.stem.build((None, None, None, input_shape[-1]))
        channels = self.sizes["stem_width"]
        for stage in self.stages:
            stage.build((None, None, None, channels))
            channels = stage.channels

    def feature_map(self, x: Tensor, training: bool = False, groups: Groups = None, updates: int = 1) -> Tensor:
        """The last map, (B, H/32, W/32, 4 widths[-1])."""
        x = self.stem(x, training=training, groups=groups, updates=updates)  # (B, H/4, W/4, 64)
        for stage in self.stages:  # 256, 512, 1024, 2048 channels
            x = stage(x, training=training, groups=groups, updates=updates)
        return x

    def call(self, x: Tensor, training: bool = False, groups: Groups = None, updates: int = 1) -> Tensor:
        """groups, updates: see `GroupedBatchNorm`."""
        return ops.mean(accurate(self.feature_map(x, training, groups, updates)), axis=(1, 2))


@serialisable
class Encoders(keras.Model):
    """E^p and E^a of one modality: x (B, H, W, 3) -> `Codes`."""

    def __init__(self, prototype: PrototypeEncoder, attribute: AttributeEncoder, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prototype = prototype
        self.attribute = attribute

    def build(self, input_shape: Shape) -> None:
        self.prototype.build(input_shape)
        self.attribute.build(input_shape)

    def call(self, x: Tensor, training: bool = False, groups: Groups = None, updates: int = 1) -> Codes:
        """groups, updates: see `GroupedBatchNorm`; E^p has no batch norm."""
        return Codes(self.prototype(x), self.attribute(x, training=training, groups=groups, updates=updates))

    def get_config(self) -> dict[str, Any]:
        parts = {name: getattr(self, name).get_config() for name in ("prototype", "attribute")}
        return {**super().get_config(), **parts}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Encoders":
        parts = {
            "prototype": PrototypeEncoder.from_config(config["prototype"]),
            "attribute": AttributeEncoder.from_config(config["attribute"]),
        }
        return cls(**{**config, **parts})
