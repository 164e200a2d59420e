"""ResNet with bottleneck blocks (He et al., 2016), in the layout of the weights that the release starts from."""

from typing import Any

import keras
from keras import ops

from hicmd_tf.method.networks.convolutions import zero_padded_convolution
from hicmd_tf.method.networks.layers import Shape, build_chain, kaiming, run_chain, serialisable
from hicmd_tf.method.networks.norms import GroupedBatchNorm, Groups
from hicmd_tf.notation import Tensor

EXPANSION = 4


@serialisable
class ConvolutionNorm(keras.layers.Layer):
    """Zero padding, a convolution without bias, batch norm and, unless `activation` is False, ReLU."""

    def __init__(self, filters: int, kernel_size: int, stride: int = 1, activation: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels, self.kernel_size, self.stride, self.activation = filters, kernel_size, stride, activation
        self.norm = GroupedBatchNorm(name="norm")

    def build(self, input_shape: Shape) -> None:
        shape = (self.kernel_size, self.kernel_size, input_shape[-1], self.channels)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=kaiming("fan_out"))
        self.norm.build((None, None, None, self.channels))

    def call(self, x: Tensor, training: bool = False, groups: Groups = None, updates: int = 1) -> Tensor:
        x = zero_padded_convolution(x, self.kernel, self.stride)
        x = self.norm(x, training=training, groups=groups, updates=updates)
        return ops.relu(x) if self.activation else x


@serialisable
class Bottleneck(keras.layers.Layer):
    """1 x 1, 3 x 3, 1 x 1 to 4 width channels, plus the input, projected where shapes differ; then ReLU.

    stride_first: whether the first 1 x 1 carries the stride (Keras' ImageNet weights) or the 3 x 3 (torchvision's).
    """

    def __init__(
        self, width: int, stride: int = 1, project: bool = False, stride_first: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.channels = EXPANSION * width
        self.reduce = ConvolutionNorm(width, 1, stride if stride_first else 1, name="reduce")
        self.spatial = ConvolutionNorm(width, 3, 1 if stride_first else stride, name="spatial")
        self.expand = ConvolutionNorm(self.channels, 1, activation=False, name="expand")
        self.shortcut = ConvolutionNorm(self.channels, 1, stride, False, name="shortcut") if project else None

    def build(self, input_shape: Shape) -> None:
        build_chain((self.reduce, self.spatial, self.expand), input_shape[-1])
        if self.shortcut is not None:
            self.shortcut.build(input_shape)

    def call(self, x: Tensor, training: bool = False, groups: Groups = None, updates: int = 1) -> Tensor:
        mode = {"training": training, "groups": groups, "updates": updates}
        inner = run_chain((self.reduce, self.spatial, self.expand), x, **mode)
        return ops.relu(inner + (x if self.shortcut is None else self.shortcut(x, **mode)))


@serialisable
class Stage(keras.layers.Layer):
    """`depth` bottlenecks, the first with the stride. (B, h, w, C) -> (B, h/stride, w/stride, 4 width)."""

    def __init__(self, width: int, depth: int, stride: int, stride_first: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels = EXPANSION * width
        self.blocks = [
            Bottleneck(width, stride if i == 0 else 1, i == 0, stride_first, name=f"block_{i}") for i in range(depth)
        ]

    def build(self, input_shape: Shape) -> None:
        build_chain(self.blocks, input_shape[-1])

    def call(self, x: Tensor, training: bool = False, groups: Groups = None, updates: int = 1) -> Tensor:
        return run_chain(self.blocks, x, training=training, groups=groups, updates=updates)


@serialisable
class Stem(keras.layers.Layer):
    """7 x 7 convolution and 3 x 3 max-pooling, stride 2 each. (B, H, W, 3) -> (B, H/4, W/4, width)."""

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels = width
        self.convolution = ConvolutionNorm(width, 7, 2, name="convolution")

    def build(self, input_shape: Shape) -> None:
        self.convolution.build(input_shape)

    def call(self, x: Tensor, training: bool = False, groups: Groups = None, updates: int = 1) -> Tensor:
        x = self.convolution(x, training=training, groups=groups, updates=updates)
        x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))  # zeros never win against ReLU's outputs
        return ops.max_pool(x, 3, 2, padding="valid", data_format="channels_last")
