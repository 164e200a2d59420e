"""Which tensor of the released checkpoints is which variable of ours: the one table that both directions use.

It is made by walking the networks, so it holds for every size. A released checkpoint is three files, gen_N.pt,
dis_N.pt and id_N.pt; each is a dictionary of parts, and a part maps keys to tensors, kernels (F, C, k, k) and matrices
(out, in).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.method.networks.build import Networks
from hicmd_tf.method.networks.convolutions import ConvolutionBlock, ResidualBlock
from hicmd_tf.method.networks.decoder import Decoder
from hicmd_tf.method.networks.discriminator import ScaleDiscriminator
from hicmd_tf.method.networks.encoders import PrototypeEncoder
from hicmd_tf.method.networks.feature_learning import IdentityHead
from hicmd_tf.method.networks.norms import GroupedBatchNorm
from hicmd_tf.method.networks.resnet import EXPANSION, ConvolutionNorm, Stage
from hicmd_tf.notation import MODALITIES

Array = np.ndarray[Any, Any]
Pairs = Iterator[tuple[str, Any]]

FILES = ("gen", "dis", "id")
LETTERS = dict(zip(MODALITIES, "ab", strict=True))  # the release's names of the modalities
ASPP_NAMES = (6, 12, 18)  # the release's names of its dilated branches, whose dilations are 3, 6 and 9
RESNET_CLASSES = 1000
OUTER_DEPTH = 3  # bottlenecks of ResNet-50's first and last stage
COUNTER = "num_batches_tracked"
CLASSIFIER = "classifier.classifier.0.weight"


class Place(NamedTuple):
    """Where a tensor stands: file gen, dis or id; its part; its key there."""

    file: str
    part: str
    key: str

    def __str__(self) -> str:
        return f"{self.file}/{self.part}/{self.key}"


class Unused(NamedTuple):
    """A tensor that the release stores and never uses: its shape, and the value that every entry takes here."""

    shape: tuple[int, ...]
    value: float


def used(networks: Networks) -> dict[Place, Any]:
    """The variable of every tensor that is used. The decoder's, which the release stores twice, come twice."""
    table = {}
    for m, letter in LETTERS.items():
        table.update(_at("gen", letter, _generator(networks, m)))
        table.update(_at("dis", letter, _discriminator(networks, m)))
    table.update(_at("id", "backbone_pro", _stages(networks.features.embedding.stages, "model.", first=2)))
    table.update(_at("id", "id", _head(networks.features.head)))
    table.update(_at("id", "combine_weight", iter([("multp", networks.features.combination.alpha)])))
    return table


def unused(networks: Networks) -> dict[Place, Unused]:
    """The documented tensors that our networks do without: each E^a's last layer, what H leaves of its ResNet-50, dummy
    statistics of AdaIN, and the number of batches that every batch norm has seen."""
    table: dict[Place, Unused] = {}
    for m, letter in LETTERS.items():
        last = EXPANSION * networks.generator.encoders(m).attribute.sizes["widths"][-1]
        table.update(_at("gen", letter, _classifier("enc_att.model.fc", last)))
        table.update(_at("gen", letter, _dummy_statistics(networks.generator.decoder)))
    table.update(_at("id", "backbone_pro", _rest_of_resnet(networks.features.embedding.sizes["widths"])))
    norms = [place for place in (*used(networks), *table) if _is_batch_norm(place)]
    table.update({place._replace(key=_counter(place.key)): Unused((), 0) for place in norms})
    return table


def released_shapes(networks: Networks) -> dict[Place, tuple[int, ...]]:
    """The shape of every tensor of a released checkpoint, used or not."""
    return {
        **{place: shape_there(variable) for place, variable in used(networks).items()},
        **{place: rest.shape for place, rest in unused(networks).items()},
    }


def shape_there(variable: Any) -> tuple[int, ...]:
    """The shape that a variable's tensor has in the release."""
    shape = tuple(int(size) for size in variable.shape)
    return {4: (*shape[:1:-1], *shape[:2]), 2: shape[::-1]}.get(len(shape), shape)


def to_ours(array: Array) -> Array:
    """(F, C, k, k) -> (k, k, C, F); (out, in) -> (in, out); anything else as it is."""
    return {4: lambda: array.transpose(2, 3, 1, 0), 2: lambda: array.T}.get(array.ndim, lambda: array)()


def to_release(array: Array) -> Array:
    """The inverse of `to_ours`."""
    return {4: lambda: array.transpose(3, 2, 0, 1), 2: lambda: array.T}.get(array.ndim, lambda: array)()


def _at(file: str, part: str, pairs: Iterable[tuple[str, Any]]) -> dict[Place, Any]:
    return {Place(file, part, key): value for key, value in pairs}


# ------------------------------------------------------------------------------------------------------------ used


def _generator(networks: Networks, modality: Any) -> Pairs:
    encoders = networks.generator.encoders(modality)
    attribute = encoders.attribute
    yield from _convolution_norm(attribute.stem.convolution, "enc_att.model.conv1", "enc_att.model.bn1")
    yield from _stages(attribute.stages, "enc_att.model.", first=1)
    yield from _prototype_encoder(encoders.prototype)
    yield from _decoder(networks.generator.decoder)


def _prototype_encoder(encoder: PrototypeEncoder) -> Pairs:
    places = ("model1.0", "model1.1", "model2.0", "model2.1")
    for place, block in zip(places, encoder.convolutions, strict=True):
        yield from _block(block, f"enc_pro.{place}.conv")
    yield from _residuals(encoder.residuals, "enc_pro.model3.0.model.")
    pyramid = encoder.pyramid
    yield from _block(pyramid.point, "enc_pro.model3.1.conv1.conv")
    for name, reduction, dilated in zip(ASPP_NAMES, pyramid.reductions, pyramid.dilated, strict=True):
        yield from _block(reduction, f"enc_pro.model3.1.conv{name}.0.conv")
        yield from _block(dilated, f"enc_pro.model3.1.conv{name}.1.conv")
    yield from _block(pyramid.fuse, "enc_pro.model3.1.fuse.conv")


def _decoder(decoder: Decoder) -> Pairs:
    yield from _residuals(decoder.residuals, "dec.model.0.model.")
    for number, block in zip((2, 4), decoder.upsampled, strict=True):
        yield from _block(block, f"dec.model.{number}.conv")
        norm: Any = block.layer_norm
        yield f"dec.model.{number}.norm.gamma", norm.gamma
        yield f"dec.model.{number}.norm.beta", norm.beta
    for number, block in zip((5, 6, 7), (*decoder.refine, decoder.colour), strict=True):
        yield from _block(block, f"dec.model.{number}.conv")
    for letter, perceptrons in (("w", decoder.scales), ("b", decoder.shifts)):
        for k, perceptron in enumerate(perceptrons, start=1):
            for i, dense in enumerate(perceptron.dense):
                yield from _weight_and_bias(dense, f"dec.mlp_{letter}{k}.model.{i}.fc")


def _discriminator(networks: Networks, modality: Any) -> Pairs:
    for number, scale in enumerate(networks.discriminators[modality].scales):
        yield from _scale(scale, f"cnns.{number}.")


def _scale(scale: ScaleDiscriminator, prefix: str) -> Pairs:
    for i, block in enumerate(scale.convolutions):
        yield from _block(block, f"{prefix}{i}.conv")
    first = len(scale.convolutions)
    for i, residual in enumerate(scale.residuals, start=first):
        yield from _residual(residual, f"{prefix}{i}.model.")
    yield from _block(scale.score, f"{prefix}{first + len(scale.residuals)}")


def _head(head: IdentityHead) -> Pairs:
    yield from _weight_and_bias(head.embed, "classifier.add_block.0")
    yield from _batch_norm(head.norm, "classifier.add_block.1")
    yield from _weight_and_bias(head.triplet, "classifier.add_block2.0")
    yield from _weight_and_bias(head.classify, "classifier.classifier.0")


def _stages(stages: Sequence[Stage], prefix: str, first: int) -> Pairs:
    for number, stage in enumerate(stages, start=first):
        for j, block in enumerate(stage.blocks):
            name = f"{prefix}layer{number}.{j}"
            for i, convolution in enumerate((block.reduce, block.spatial, block.expand), start=1):
                yield from _convolution_norm(convolution, f"{name}.conv{i}", f"{name}.bn{i}")
            if block.shortcut is not None:
                yield from _convolution_norm(block.shortcut, f"{name}.downsample.0", f"{name}.downsample.1")


def _convolution_norm(convolution: ConvolutionNorm, name: str, norm: str) -> Pairs:
    yield f"{name}.weight", convolution.kernel
    yield from _batch_norm(convolution.norm, norm)


def _batch_norm(norm: GroupedBatchNorm, name: str) -> Pairs:
    yield f"{name}.weight", norm.gamma
    yield f"{name}.bias", norm.beta
    yield f"{name}.running_mean", norm.moving_mean
    yield f"{name}.running_var", norm.moving_variance


def _residuals(residuals: Sequence[ResidualBlock], prefix: str) -> Pairs:
    for i, residual in enumerate(residuals):
        yield from _residual(residual, f"{prefix}{i}.model.")


def _residual(residual: ResidualBlock, prefix: str) -> Pairs:
    yield from _block(residual.first, f"{prefix}0.conv")
    yield from _block(residual.second, f"{prefix}1.conv")


def _block(block: ConvolutionBlock, name: str) -> Pairs:
    yield from _weight_and_bias(block.convolution, name)


def _weight_and_bias(layer: Any, name: str) -> Pairs:
    yield f"{name}.weight", layer.kernel
    yield f"{name}.bias", layer.bias


# ---------------------------------------------------------------------------------------------------------- unused


def _rest_of_resnet(widths: Sequence[int]) -> Pairs:
    """What a ResNet-50 has round the two stages of H, by the inner widths of those two."""
    first, last = widths[0] // 2, 2 * widths[1]
    yield from _unused_norm_convolution("model.conv1", "model.bn1", (first, 3, 7, 7))
    yield from _unused_stage("model.layer1", first, first)
    yield from _unused_stage("model.layer4", EXPANSION * widths[1], last)
    yield from _classifier("model.fc", EXPANSION * last)


def _unused_stage(name: str, channels: int, width: int) -> Pairs:
    out = EXPANSION * width
    for j in range(OUTER_DEPTH):
        block, before = f"{name}.{j}", channels if j == 0 else out
        shapes = ((width, before, 1, 1), (width, width, 3, 3), (out, width, 1, 1))
        for i, shape in enumerate(shapes, start=1):
            yield from _unused_norm_convolution(f"{block}.conv{i}", f"{block}.bn{i}", shape)
        if j == 0:
            yield from _unused_norm_convolution(f"{block}.downsample.0", f"{block}.downsample.1", (out, before, 1, 1))


def _unused_norm_convolution(convolution: str, norm: str, shape: tuple[int, ...]) -> Pairs:
    yield f"{convolution}.weight", Unused(shape, 0)
    for array, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
        yield f"{norm}.{array}", Unused(shape[:1], value)


def _classifier(name: str, length: int) -> Pairs:
    yield f"{name}.weight", Unused((RESNET_CLASSES, length), 0)
    yield f"{name}.bias", Unused((RESNET_CLASSES,), 0)


def _dummy_statistics(decoder: Decoder) -> Pairs:
    channels = (decoder.sizes["channels"],)
    for k in range(len(decoder.residuals)):
        for i in range(2):
            name = f"dec.model.0.model.{k}.model.{i}.norm"
            yield f"{name}.running_mean", Unused(channels, 0)
            yield f"{name}.running_var", Unused(channels, 1)


def _is_batch_norm(place: Place) -> bool:
    return place.key.endswith(".running_var") and not place.key.startswith("dec.")


def _counter(key: str) -> str:
    return f"{key.removesuffix('.running_var')}.{COUNTER}"
