"""E^a, the attribute encoder of one modality: a = E^a(x), clothes style, pose and illumination (Sec. 3.1)."""

from typing import Any

import keras
from keras import ops

from hicmd_tf.method.networks.batch_norm import Groups
from hicmd_tf.method.networks.layers import Shape, serialisable, tracked
from hicmd_tf.method.networks.resnet import Stage, Stem
from hicmd_tf.method.precision import accurate
from hicmd_tf.notation import Tensor


@serialisable
class AttributeEncoder(keras.Model):
    """x (B, H, W, 3) -> a (B, 4 widths[-1]): a whole ResNet and the mean over its last map, so every entry is >= 0.

    stem_width, widths, depths: the ResNet's sizes (ResNet-50: 64; 64, 128, 256, 512; 3, 4, 6, 3).
    stride_first: see `resnet.Bottleneck`.
    """

    def __init__(
        self, stem_width: int, widths: list[int], depths: list[int], stride_first: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sizes: dict[str, Any] = {
            "stem_width": stem_width,
            "widths": list(widths),
            "depths": list(depths),
            "stride_first": stride_first,
        }
        self.stem = Stem(stem_width, name="stem")
        self.stages = tracked(
            self,
            [
                Stage(width, depth, 1 if i == 0 else 2, stride_first, name=f"stage_{i + 1}")
                for i, (width, depth) in enumerate(zip(widths, depths, strict=True))
            ],
        )

    def build(self, input_shape: Shape) -> None:
        self.stem.build((None, None, None, input_shape[-1]))
        channels = self.stem.width
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

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.sizes}
