"""The encoders of a modality (Sec. 3.1): E^p, the underlying form of a person; E^a, clothes, pose, illumination."""

from typing import Any, ClassVar

import keras
from keras import ops

from hicmd_tf.method.networks.convolutions import ConvolutionBlock, ResidualBlock
from hicmd_tf.method.networks.fast import replaceable
from hicmd_tf.method.networks.layers import Composed, Shape, build_chain, run_chain, serialisable
from hicmd_tf.method.networks.norms import Groups
from hicmd_tf.method.networks.resnet import Stage, Stem
from hicmd_tf.method.precision import accurate
from hicmd_tf.notation import Codes, Tensor


@replaceable
def beside(maps: list[Tensor]) -> Tensor:
    """Maps (B, h, w, C), (B, h, w, D), .. as one (B, h, w, C + D + ..)."""
    return ops.concatenate(maps, axis=-1)


@serialisable
class AtrousPyramid(keras.layers.Layer):
    """ASPP: a 1 x 1 branch and dilated ones beside it, concatenated and fused. (B, h, w, C) -> (B, h, w, 4 width)."""

    def __init__(self, width: int, dilations: list[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels = width * (1 + len(dilations))
        self.point = ConvolutionBlock(width, 1, norm="instance", activation=False, name="point")
        # A dilation that stood before has a number of its own: checkpoints know weights by their layers' names.
        names = [f"{d}_{i}" if d in dilations[:i] else f"{d}" for i, d in enumerate(dilations)]
        self.reductions = [ConvolutionBlock(width, 1, norm="instance", name=f"reduction_{n}") for n in names]
        self.dilated = [
            ConvolutionBlock(width, 3, dilation=d, norm="instance", activation=False, name=f"dilated_{n}")
            for d, n in zip(dilations, names, strict=True)
        ]
        self.fuse = ConvolutionBlock(self.channels, 1, norm="instance", activation=False, name="fuse")

    def build(self, input_shape: Shape) -> None:
        self.point.build(input_shape)
        for branch in zip(self.reductions, self.dilated, strict=True):
            build_chain(branch, input_shape[-1])
        self.fuse.build((*input_shape[:-1], self.channels))

    def call(self, x: Tensor) -> Tensor:
        branches = zip(self.reductions, self.dilated, strict=True)
        return self.fuse(beside([self.point(x), *(run_chain(branch, x) for branch in branches)]))


@serialisable
class PrototypeEncoder(keras.layers.Layer):
    """x (B, H, W, 3) -> p (B, H/4, W/4, 4 aspp_width), every channel of every image with mean 0 and variance 1.

    widths: channels of the four convolutions, of which the first and the last have stride 2.
    """

    def __init__(
        self, widths: list[int], residual_blocks: int, aspp_width: int, dilations: list[int], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
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
        build_chain([*self.convolutions, *self.residuals, self.pyramid], input_shape[-1])

    def call(self, x: Tensor) -> Tensor:
        x = run_chain(self.convolutions, x)  # (B, H/2, W/2, 32) .. 64 .. 64 -> (B, H/4, W/4, 128)
        x = run_chain(self.residuals, x)  # (B, H/4, W/4, 128)
        return self.pyramid(x)  # (B, H/4, W/4, 256)


@serialisable
class AttributeEncoder(keras.layers.Layer):
    """x (B, H, W, 3) -> a (B, 4 widths[-1]): a whole ResNet and the mean over its last map, so every entry is >= 0.

    stem_width, widths, depths: the ResNet's sizes (ResNet-50: 64; 64, 128, 256, 512; 3, 4, 6, 3).
    stride_first: see `resnet.Bottleneck`.
    """

    def __init__(
        self, stem_width: int, widths: list[int], depths: list[int], stride_first: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.stride_first = stride_first
        self.stem = Stem(stem_width, name="stem")
        self.stages = [
            Stage(width, depth, 1 if i == 0 else 2, stride_first, name=f"stage_{i + 1}")
            for i, (width, depth) in enumerate(zip(widths, depths, strict=True))
        ]

    @property
    def length(self) -> int:
        """D, entries of an attribute code."""
        return self.stages[-1].channels

    def build(self, input_shape: Shape) -> None:
        build_chain([self.stem, *self.stages], input_shape[-1])

    def feature_map(self, x: Tensor, training: bool = False, groups: Groups = None, updates: int = 1) -> Tensor:
        """The last map, (B, H/32, W/32, 4 widths[-1])."""
        # (B, H/4, W/4, 64), then 256, 512, 1024, 2048 channels
        return run_chain([self.stem, *self.stages], x, training=training, groups=groups, updates=updates)

    def call(self, x: Tensor, training: bool = False, groups: Groups = None, updates: int = 1) -> Tensor:
        """groups, updates: see `GroupedBatchNorm`."""
        return ops.mean(accurate(self.feature_map(x, training, groups, updates)), axis=(1, 2))


@serialisable
class Encoders(Composed, keras.Model):
    """E^p and E^a of one modality: x (B, H, W, 3) -> `Codes`."""

    parts: ClassVar = {"prototype": PrototypeEncoder, "attribute": AttributeEncoder}

    def __init__(self, prototype: PrototypeEncoder, attribute: AttributeEncoder, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prototype, self.attribute = prototype, attribute

    def build(self, input_shape: Shape) -> None:
        self.prototype.build(input_shape)
        self.attribute.build(input_shape)

    def call(self, x: Tensor, training: bool = False, groups: Groups = None, updates: int = 1) -> Codes:
        """groups, updates: see `GroupedBatchNorm`; E^p has no batch norm."""
        return Codes(self.prototype(x), self.attribute(x, training=training, groups=groups, updates=updates))
