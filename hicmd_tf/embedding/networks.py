"""One ResNet for pictures of both modalities, the neck and the classifier.

x (B, H, W, 3) -> front (stem, and stages of each modality's own) -> trunk (the other stages) -> pooled (B, D) -> neck
-> classifier. With D = 4 widths[-1].
"""

from typing import Any, Literal, NamedTuple

import keras
from keras import ops

from hicmd_tf.config.kinds import stride_first
from hicmd_tf.config.schema import Config
from hicmd_tf.method.augmentation import LUMA
from hicmd_tf.method.descriptor import Describing
from hicmd_tf.method.networks.feature_learning import l2_normalise
from hicmd_tf.method.networks.layers import Shape, build_chain, normal, run_chain, serialisable
from hicmd_tf.method.networks.norms import GroupedBatchNorm, Groups
from hicmd_tf.method.networks.pretrained import ResNetWeights, read_resnet
from hicmd_tf.method.networks.resnet import Stage, Stem
from hicmd_tf.method.precision import accurate, full_precision
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality, Part, Tensor

SMALLEST = 1e-12  # of a pooled power: its root has no gradient at 0


@serialisable
class ResNetPart(keras.layers.Layer):
    """A stem and stages, or stages alone: maps (B, h, w, C) -> (B, h', w', 4 widths[-1]), or the stem's.

    stem_width: 0: no stem. first: number of the first stage in the whole ResNet. stride_first: see `resnet.Bottleneck`.
    """

    def __init__(
        self,
        stem_width: int,
        widths: list[int],
        depths: list[int],
        strides: list[int],
        first: int = 1,
        stride_first: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        stages = [
            Stage(width, depth, stride, stride_first, name=f"stage_{number}")
            for number, (width, depth, stride) in enumerate(zip(widths, depths, strides, strict=True), start=first)
        ]
        self.stem = Stem(stem_width, name="stem") if stem_width else None
        self.stages = stages

    @property
    def layers(self) -> list[Any]:
        """One after another."""
        return [*([] if self.stem is None else [self.stem]), *self.stages]

    @property
    def channels(self) -> int:
        """Channels of the last map."""
        return int(self.layers[-1].channels)

    def build(self, input_shape: Shape) -> None:
        build_chain(self.layers, input_shape[-1])

    def call(self, x: Tensor, training: bool = False, groups: Groups = None) -> Tensor:
        return run_chain(self.layers, x, training=training, groups=groups)


class Identified(NamedTuple):
    """pooled: what the triplet loss compares (R, D). neck: the same after the neck, which describes. logits: of the
    training identities (R, classes)."""

    pooled: Tensor
    neck: Tensor
    logits: Tensor


@serialisable
class EmbeddingHead(keras.layers.Layer):
    """pooled (R, D) -> `Identified`. neck: batch norm without a shift, and a classifier without bias (BNNeck, Luo et
    al., 2019); otherwise a classifier alone."""

    def __init__(self, classes: int, neck: bool, **kwargs: Any) -> None:
        super().__init__(**{"dtype": full_precision(), **kwargs})
        self.classes = classes
        self.norm = GroupedBatchNorm(shift=False, name="norm", dtype=self.dtype_policy.name) if neck else None
        self.classify = keras.layers.Dense(
            classes,
            use_bias=not neck,
            kernel_initializer=normal(0.0, 0.001),
            name="classify",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape: Shape) -> None:
        for layer in filter(None, (self.norm, self.classify)):
            layer.build(input_shape)

    def described(self, pooled: Tensor, training: bool = False) -> Tensor:
        """What describes a picture, (R, D)."""
        return pooled if self.norm is None else self.norm(pooled, training=training)

    def call(self, pooled: Tensor, training: bool = False) -> Identified:
        neck = self.described(pooled, training)
        return Identified(pooled, neck, self.classify(neck))


@serialisable
class Backbone(keras.Model):
    """Normalised pictures (B, H, W, 3) of a modality -> pooled maps (B, D).

    stem .. pooling_power: as in `EmbeddingConfig`. stride_first: see `resnet.Bottleneck`.
    """

    def __init__(
        self,
        stem: Literal["shared", "two", "zero_padded"],
        own_stages: int,
        stem_width: int,
        widths: list[int],
        depths: list[int],
        last_stride: int,
        pooling_power: float,
        stride_first: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._made_with = (stem, own_stages, stem_width, widths, depths, last_stride, pooling_power, stride_first)
        self.padded, self.power = stem == "zero_padded", pooling_power
        own = own_stages if stem == "two" else 0
        strides = [1, 2, 2, last_stride]

        names = MODALITIES if stem == "two" else ("front",)
        self.fronts = [
            ResNetPart(stem_width, widths[:own], depths[:own], strides[:own], 1, stride_first, name=name)
            for name in names
        ]
        rest = widths[own:], depths[own:], strides[own:]
        self.trunk = ResNetPart(0, *rest, own + 1, stride_first, name="trunk") if any(rest) else None

    def get_config(self) -> dict[str, Any]:
        """The arguments, which Keras keeps of layers, and not of models."""
        names = ("stem", "own_stages", "stem_width", "widths", "depths", "last_stride", "pooling_power", "stride_first")
        return {"name": self.name, **dict(zip(names, self._made_with, strict=True))}

    @property
    def length(self) -> int:
        """D."""
        return (self.trunk or self.fronts[0]).channels

    def front(self, modality: Modality) -> ResNetPart:
        """The layers that a modality's pictures pass first."""
        return self.fronts[-1 if modality == INFRARED else 0]

    def build(self, input_shape: Shape) -> None:
        for front in self.fronts:
            front.build((*input_shape[:-1], 2 if self.padded else input_shape[-1]))
        if self.trunk is not None:
            self.trunk.build((None, None, None, self.fronts[0].channels))
        self.built = True

    def seen(self, x: Tensor, modality: Modality) -> Tensor:
        """Pictures (B, H, W, 3) as the front takes them; zero-padded, (B, H, W, 2), they are grey in their modality's
        channel, and the other is 0 (Wu et al., 2017)."""
        if not self.padded:
            return x
        grey = ops.sum(x * ops.convert_to_tensor(LUMA, x.dtype), axis=-1, keepdims=True)
        nothing = ops.zeros_like(grey)
        return ops.concatenate([grey, nothing] if modality == VISIBLE else [nothing, grey], axis=-1)

    def pooled(self, maps: Tensor, training: bool = False, groups: Groups = None) -> Tensor:
        """Maps (B, h, w, C) of fronts -> (B, D): the trunk, and `pool`."""
        return self.pool(maps if self.trunk is None else self.trunk(maps, training=training, groups=groups))

    def pool(self, maps: Tensor) -> Tensor:
        """The last map (B, h, w, D) -> (B, D): (mean x^p)^(1/p) (GeM, Radenovic et al., 2019)."""
        x = accurate(maps)
        if self.power == 1:
            return ops.mean(x, axis=(1, 2))
        return ops.power(ops.mean(ops.power(x, self.power), axis=(1, 2)) + SMALLEST, 1 / self.power)

    def call(self, x: Tensor, modality: Modality = VISIBLE) -> Tensor:
        return self.pooled(self.front(modality)(self.seen(x, modality)))


class EmbeddingDescriptor(Describing):
    """Normalised pictures (B, H, W, 3) of one modality -> descriptors (B, D) of length 1, in inference mode.

    Shares the layers of the networks, without the classifier. mirrored: whether a descriptor is of the mean of the
    results for a picture and its mirror image.
    """

    def __init__(self, networks: "EmbeddingNetworks", **kwargs: Any) -> None:
        super().__init__(**{"name": "descriptor", **kwargs})
        self.backbone, self.norm, self.mirrored = networks.backbone, networks.head.norm, networks.mirrored
        self.built = True

    @property
    def length(self) -> int:
        """D, entries of a descriptor."""
        return self.backbone.length

    def call(self, x: Tensor, modality: Modality = VISIBLE) -> Tensor:
        found = self._of(x, modality)
        if self.mirrored:
            found = (found + self._of(ops.flip(x, axis=2), modality)) / 2
        return l2_normalise(found)

    def _of(self, x: Tensor, modality: Modality) -> Tensor:
        pooled = self.backbone(x, modality=modality)
        return pooled if self.norm is None else self.norm(pooled, training=False)

    def parts(self) -> tuple[str, list[keras.layers.Layer]]:
        """As `Describing` says."""
        form = f"embedding {self.mirrored} {self.backbone.padded} {self.backbone.power:g}"
        return form, [self.backbone, *([self.norm] if self.norm is not None else [])]


class EmbeddingNetworks(NamedTuple):
    """The networks of an embedding method; mirrored: see `EmbeddingDescriptor`."""

    backbone: Backbone
    head: EmbeddingHead
    mirrored: bool

    @property
    def classes(self) -> int:
        """Training identities."""
        return self.head.classes

    def descriptor(self) -> EmbeddingDescriptor:
        """What describes pictures."""
        return EmbeddingDescriptor(self)

    def variables(self) -> dict[str, keras.Variable]:
        """Weights and running statistics, by names that are the same in every process."""
        parts: dict[str, Any] = {"backbone": self.backbone, "head": self.head}
        return {
            f"{part}/{variable.path.partition('/')[2]}": variable
            for part, network in parts.items()
            for variable in network.variables
        }

    def by_part(self) -> dict[str, list[keras.layers.Layer]]:
        """The networks by the names of `training.frozen`."""
        trunk = [] if self.backbone.trunk is None else [self.backbone.trunk]
        return {"fronts": list(self.backbone.fronts), "trunk": trunk, "head": [self.head]}

    def trained(self) -> dict[Part, list[keras.Variable]]:
        """What each optimiser trains."""
        return {"features": [*self.backbone.trainable_variables, *self.head.trainable_variables]}

    def twins(self) -> dict[Part, list[tuple[Any, ...]]]:
        """The networks that each optimiser trains; fronts, whose batches may differ, are never called as one."""
        return {"features": [(network,) for of_part in self.by_part().values() for network in of_part]}


def build_embedding(config: Config, classes: int, restored: bool = False) -> EmbeddingNetworks:
    """The networks for so many training identities. Initial weights follow Keras' global seed.

    restored: whether all weights come from a checkpoint, so that initial ResNet weights need not be fetched. Raises
    UserError when these can't be had or don't fit.
    """
    source = config.networks.resnet_weights
    weights = None if restored else read_resnet(source)
    sizes = config.embedding
    form = sizes.stem, sizes.own_stages, sizes.stem_width, sizes.widths, sizes.depths
    backbone = Backbone(*form, sizes.last_stride, sizes.pooling_power, stride_first(source), name="backbone")
    backbone.build((None, None, None, 3))
    head = EmbeddingHead(classes, sizes.neck, name="head")
    head.build((None, backbone.length))
    first, *others = backbone.fronts
    for other in others:
        other.set_weights(first.get_weights())
    if weights is not None:
        _fill(backbone, weights)
    return EmbeddingNetworks(backbone, head, sizes.mirrored)


def _fill(backbone: Backbone, weights: ResNetWeights) -> None:
    """Of a zero-padded stem both channels get the kernels' sum over colours: a grey picture gives what it gave."""
    if backbone.padded:
        kernel = weights.arrays["conv1.weight"].sum(axis=2, keepdims=True)
        weights = weights._replace(arrays={**weights.arrays, "conv1.weight": kernel.repeat(2, axis=2)})
    trunk = [] if backbone.trunk is None else backbone.trunk.stages
    for front in backbone.fronts:
        weights.fill([*front.stages, *trunk], first=1, stem=front.stem)
