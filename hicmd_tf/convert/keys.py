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
from hicmd_tf.method.networks.discriminator import Discriminator
from hicmd_tf.method.networks.encoders import Encoders, PrototypeEncoder
from hicmd_tf.method.networks.feature_learning import IdentityHead
from hicmd_tf.method.networks.layers import build_chain
from hicmd_tf.method.networks.pretrained import named, named_norm
from hicmd_tf.method.networks.resnet import EXPANSION, Stage, Stem
from hicmd_tf.notation import INFRARED, VISIBLE

Array = np.ndarray[Any, Any]
Pairs = Iterator[tuple[str, Any]]
TensorShape = tuple[int, ...]

PARTS = {"gen": ("a", "b"), "dis": ("a", "b"), "id": ("id", "backbone_pro", "combine_weight")}
"""The files, and the parts of each; a is visible, b infrared."""
LETTERS = {VISIBLE: "a", INFRARED: "b"}
ASPP_NAMES = (6, 12, 18)  # the release's names of its dilated branches, whose dilations are 3, 6 and 9
RESNET_CLASSES = 1000
OUTER_DEPTH = 3  # bottlenecks of ResNet-50's first and last stage
CLASSIFIER = "classifier.classifier.0.weight"


class Place(NamedTuple):
    """Where a tensor stands: file gen, dis or id; its part; its key there."""

    file: str
    part: str
    key: str

    def __str__(self) -> str:
        return f"{self.file}/{self.part}/{self.key}"


def used(networks: Networks) -> dict[Place, Any]:
    """The variable of every tensor that is used. The decoder's, which the release stores twice, come twice."""
    features = networks.features
    table: dict[Place, Any] = {}
    for m, letter in LETTERS.items():
        table |= _at("gen", letter, _encoders(networks.generator.encoders(m)))
        table |= _at("gen", letter, _decoder(networks.generator.decoder))
        table |= _at("dis", letter, _discriminator(networks.discriminators[m]))
    table |= _at("id", "backbone_pro", _prefixed("model.", named(features.embedding.stages, first=2)))
    table |= _at("id", "id", _head(features.head))
    return table | _at("id", "combine_weight", [("multp", features.combination.alpha)])


def unused(networks: Networks) -> dict[Place, TensorShape]:
    """Shapes of the documented tensors that our networks do without: each E^a's last layer, what H leaves of its
    ResNet-50, dummy statistics of AdaIN, and the number of batches that every batch norm has seen."""
    decoder = networks.generator.decoder
    table: dict[Place, TensorShape] = {}
    for letter in LETTERS.values():
        table |= _at("gen", letter, _classifier("enc_att.model.fc", networks.layout.length))
        for k in range(len(decoder.residuals)):
            names = [f"dec.model.0.model.{k}.model.{i}.norm" for i in range(2)]
            statistics = [f"{name}.{kind}" for name in names for kind in ("running_mean", "running_var")]
            table |= _at("gen", letter, [(key, (decoder.channels,)) for key in statistics])
    table |= _at("id", "backbone_pro", _rest_of_resnet(networks.features.embedding.stages))
    norms = [place for place in (*used(networks), *table) if place.key.endswith(".running_var")]
    counters = [place._replace(key=place.key.replace("running_var", "num_batches_tracked")) for place in norms]
    return table | {place: () for place in counters if not place.key.startswith("dec.")}


def shape_there(variable: Any) -> TensorShape:
    """The shape that a variable's tensor has in the release."""
    shape = tuple(int(size) for size in variable.shape)
    return {4: (*shape[:1:-1], *shape[:2]), 2: shape[::-1]}.get(len(shape), shape)


def to_release(array: Array) -> Array:
    """The inverse of `pretrained.to_ours`."""
    return {4: lambda: array.transpose(3, 2, 0, 1), 2: lambda: array.T}.get(array.ndim, lambda: array)()


def _at(file: str, part: str, pairs: Iterable[tuple[str, Any]]) -> dict[Place, Any]:
    return {Place(file, part, key): value for key, value in pairs}


def _prefixed(prefix: str, pairs: Iterable[tuple[str, Any]]) -> Pairs:
    return ((f"{prefix}{key}", value) for key, value in pairs)


def _encoders(encoders: Encoders) -> Pairs:
    attribute = encoders.attribute
    yield from _prefixed("enc_att.model.", named(attribute.stages, first=1, stem=attribute.stem))
    yield from _prefixed("enc_pro.", _prototype_encoder(encoders.prototype))


def _prototype_encoder(encoder: PrototypeEncoder) -> Pairs:
    places = ("model1.0", "model1.1", "model2.0", "model2.1")
    for place, block in zip(places, encoder.convolutions, strict=True):
        yield from _block(block, f"{place}.conv")
    yield from _residuals(encoder.residuals, "model3.0.model.")
    pyramid = encoder.pyramid
    yield from _block(pyramid.point, "model3.1.conv1.conv")
    for name, reduction, dilated in zip(ASPP_NAMES, pyramid.reductions, pyramid.dilated, strict=True):
        yield from _block(reduction, f"model3.1.conv{name}.0.conv")
        yield from _block(dilated, f"model3.1.conv{name}.1.conv")
    yield from _block(pyramid.fuse, "model3.1.fuse.conv")


def _decoder(decoder: Decoder) -> Pairs:
    yield from _residuals(decoder.residuals, "dec.model.0.model.")
    for number, block in zip((2, 4), decoder.upsampled, strict=True):
        yield from _block(block, f"dec.model.{number}.conv")
        norm = block.layer_norm
        assert norm is not None
        yield f"dec.model.{number}.norm.gamma", norm.gamma
        yield f"dec.model.{number}.norm.beta", norm.beta
    for number, block in zip((5, 6, 7), (*decoder.refine, decoder.colour), strict=True):
        yield from _block(block, f"dec.model.{number}.conv")
    for letter, perceptrons in (("w", decoder.scales), ("b", decoder.shifts)):
        for k, perceptron in enumerate(perceptrons, start=1):
            for i, dense in enumerate(perceptron.dense):
                yield from _weights(dense, f"dec.mlp_{letter}{k}.model.{i}.fc")


def _discriminator(discriminator: Discriminator) -> Pairs:
    for number, scale in enumerate(discriminator.scales):
        first = len(scale.convolutions)
        for i, block in enumerate(scale.convolutions):
            yield from _block(block, f"cnns.{number}.{i}.conv")
        yield from _residuals(scale.residuals, f"cnns.{number}.", first)
        yield from _block(scale.score, f"cnns.{number}.{first + len(scale.residuals)}")


def _head(head: IdentityHead) -> Pairs:
    yield from _weights(head.embed, "classifier.add_block.0")
    yield from named_norm(head.norm, "classifier.add_block.1")
    yield from _weights(head.triplet, "classifier.add_block2.0")
    yield from _weights(head.classify, "classifier.classifier.0")


def _residuals(residuals: Sequence[ResidualBlock], prefix: str, first: int = 0) -> Pairs:
    for i, residual in enumerate(residuals, start=first):
        yield from _block(residual.first, f"{prefix}{i}.model.0.conv")
        yield from _block(residual.second, f"{prefix}{i}.model.1.conv")


def _block(block: ConvolutionBlock, name: str) -> Pairs:
    yield from _weights(block.convolution, name)


def _weights(layer: Any, name: str) -> Pairs:
    yield f"{name}.weight", layer.kernel
    yield f"{name}.bias", layer.bias


def _rest_of_resnet(stages: Sequence[Stage]) -> Pairs:
    """Shapes of what a ResNet-50 has round the two stages of H."""
    before, after = stages[0].channels // (2 * EXPANSION), 2 * stages[1].channels // EXPANSION
    stem, first, last = Stem(before), Stage(before, OUTER_DEPTH, 1), Stage(after, OUTER_DEPTH, 2)
    build_chain((stem, first), 3)
    build_chain((last,), stages[1].channels)
    for pairs in (named([first], first=1, stem=stem), named([last], first=4)):
        yield from ((f"model.{key}", shape_there(variable)) for key, variable in pairs)
    yield from _classifier("model.fc", last.channels)


def _classifier(name: str, length: int) -> Pairs:
    yield f"{name}.weight", (RESNET_CLASSES, length)
    yield f"{name}.bias", (RESNET_CLASSES,)
