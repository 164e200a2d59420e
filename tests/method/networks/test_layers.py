"""Every layer of the networks alike: shapes, types, saving, gradients, and that images of a batch do not mix."""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from numeric import draw

from hicmd_tf.embedding import networks as embedding
from hicmd_tf.embedding.networks import Backbone, EmbeddingHead, ResNetPart
from hicmd_tf.method import networks
from hicmd_tf.method.descriptor import Describing
from hicmd_tf.method.networks.convolutions import Convolution, ConvolutionBlock, ResidualBlock
from hicmd_tf.method.networks.decoder import Decoder, Perceptron
from hicmd_tf.method.networks.discriminator import Discriminator, ScaleDiscriminator
from hicmd_tf.method.networks.encoders import AtrousPyramid, AttributeEncoder, Encoders, PrototypeEncoder
from hicmd_tf.method.networks.feature_learning import Combination, FeatureLearning, IdentityHead, PrototypeEmbedding
from hicmd_tf.method.networks.id_pig import IdPig
from hicmd_tf.method.networks.norms import GroupedBatchNorm, ImageLayerNorm
from hicmd_tf.method.networks.resnet import Bottleneck, ConvolutionNorm, Stage, Stem
from hicmd_tf.method.precision import computing_in

BATCH = 3


class Case(NamedTuple):
    """make: the layer. inputs, outputs: shapes of one row. together: whether inputs come as one tuple. types: of the
    outputs under mixed_bfloat16, repeated."""

    make: Callable[[], Any]
    inputs: list[tuple[int, ...]]
    outputs: list[tuple[int, ...]]
    together: bool = False
    types: tuple[str, ...] = ("bfloat16",)


def prototype() -> PrototypeEncoder:
    return PrototypeEncoder([4, 6, 6, 8], 1, 3, [1, 2, 3])


def attribute(stride_first: bool = False) -> AttributeEncoder:
    return AttributeEncoder(4, [2, 3, 4, 8], [1, 2, 1, 1], stride_first)


def features() -> FeatureLearning:
    head = IdentityHead(5, 7, 4, 0.5, "batch_norm")
    return FeatureLearning(PrototypeEmbedding([2, 3], [1, 2]), Combination(0.25, True), head)


def backbone(stem: str) -> Backbone:
    return Backbone(stem, 1, 4, [2, 3, 4, 5], [1, 2, 1, 1], 1, 3.0)


FULL = ("float32",)
HEAD = [(7,), (7,), (4,), (5,)]
CASES = {
    "bare convolution": Case(lambda: Convolution(4, 3, upsample=False), [(9, 6, 3)], [(9, 6, 4)]),
    "layer norm": Case(ImageLayerNorm, [(9, 6, 3)], [(9, 6, 3)]),
    "convolution": Case(lambda: ConvolutionBlock(4, 5, 2, deviation=0.3), [(9, 6, 3)], [(5, 3, 4)]),
    "dilated": Case(lambda: ConvolutionBlock(4, 3, dilation=2, norm="instance"), [(9, 6, 3)], [(9, 6, 4)]),
    "upsampled": Case(
        lambda: ConvolutionBlock(4, 5, upsample=True, norm="layer", activation=False), [(4, 3, 3)], [(8, 6, 4)]
    ),
    "adaptive": Case(lambda: ConvolutionBlock(4, 3, norm="adaptive"), [(4, 3, 3), (4,), (4,)], [(4, 3, 4)]),
    "residual": Case(lambda: ResidualBlock(4, deviation=0.3), [(4, 3, 4)], [(4, 3, 4)]),
    "perceptron": Case(lambda: Perceptron(6), [(5,)], [(6,)], types=FULL),
    "decoder": Case(lambda: Decoder(8, 2, [6, 5]), [(4, 3, 8), (12,)], [(16, 12, 3)], True, FULL),
    "scale": Case(lambda: ScaleDiscriminator(4, 1), [(16, 9, 3)], [(4, 3, 1)]),
    "discriminator": Case(lambda: Discriminator(2, 4, 1), [(24, 16, 3)], [(6, 4, 1), (3, 2, 1)]),
    "pyramid": Case(lambda: AtrousPyramid(3, [1, 2]), [(6, 5, 4)], [(6, 5, 9)]),
    "prototype encoder": Case(prototype, [(16, 24, 3)], [(4, 6, 12)]),
    "attribute encoder": Case(attribute, [(36, 64, 3)], [(32,)], types=FULL),
    "attribute encoder, stride first": Case(lambda: attribute(True), [(36, 64, 3)], [(32,)], types=FULL),
    "encoders": Case(
        lambda: Encoders(prototype(), attribute()), [(16, 24, 3)], [(4, 6, 12), (32,)], types=("bfloat16", "float32")
    ),
    "ID-PIG": Case(
        lambda: IdPig(Encoders(prototype(), attribute()), Encoders(prototype(), attribute()), Decoder(12, 2, [6, 5])),
        [(16, 24, 3)],
        [(16, 24, 3)],
        types=FULL,
    ),
    "batch norm": Case(lambda: GroupedBatchNorm(0.02), [(4, 3, 5)], [(4, 3, 5)]),
    "convolution and batch norm": Case(lambda: ConvolutionNorm(4, 3, 2, False), [(8, 6, 3)], [(4, 3, 4)]),
    "bottleneck": Case(lambda: Bottleneck(3, 2, True, True), [(8, 6, 4)], [(4, 3, 12)]),
    "stage": Case(lambda: Stage(2, 3, 2), [(8, 6, 4)], [(4, 3, 8)]),
    "stem": Case(lambda: Stem(4), [(16, 12, 3)], [(4, 3, 4)]),
    "H": Case(lambda: PrototypeEmbedding([2, 3], [1, 2]), [(8, 4, 4)], [(12,)], types=FULL),
    "combination": Case(lambda: Combination(0.25, False), [(4,), (5,)], [(9,)], types=FULL),
    "head": Case(lambda: IdentityHead(5, 7, 4, 0.5, "fc"), [(6,)], HEAD, types=FULL),
    "part with a stem": Case(lambda: ResNetPart(4, [2], [2], [2]), [(16, 12, 3)], [(2, 2, 8)]),
    "part without a stem": Case(lambda: ResNetPart(0, [2, 3], [1, 1], [1, 2], 2), [(8, 6, 4)], [(4, 3, 12)]),
    "backbone": Case(lambda: backbone("two"), [(32, 32, 3)], [(20,)], types=FULL),
    "backbone, zero-padded": Case(lambda: backbone("zero_padded"), [(32, 32, 3)], [(20,)], types=FULL),
    "embedding head": Case(lambda: EmbeddingHead(5, True), [(6,)], [(6,), (6,), (5,)], types=FULL),
    "feature learning": Case(features, [(8, 4, 8), (6,)], HEAD, True, FULL),
}
EVERY = pytest.mark.parametrize("name", CASES)


def built(layer: Any, case: Case) -> Any:
    """Of every weight, running statistics included, values that no initial one has."""
    shapes = [(None, *shape) for shape in case.inputs]
    layer.build(tuple(shapes) if case.together else shapes[0])
    for seed, variable in enumerate(layer.weights):
        variable.assign(np.abs(0.5 + 0.2 * draw(*variable.shape, seed=seed)))
    return layer


def outputs(layer: Any, case: Case, rows: slice = slice(None)) -> list[Any]:
    inputs = [draw(BATCH, *shape, seed=seed).astype("float32")[rows] for seed, shape in enumerate(case.inputs)]
    return keras.tree.flatten(layer(tuple(inputs)) if case.together else layer(*inputs))


def test_every_class_is_registered_and_among_the_cases() -> None:
    modules = [
        importlib.import_module(f"{networks.__name__}.{module.name}")
        for module in pkgutil.iter_modules(networks.__path__)
    ] + [embedding]
    classes = {
        cls
        for module in modules
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, keras.layers.Layer) and cls.__module__.startswith("hicmd_tf.")
        if not issubclass(cls, Describing)  # which share the layers of networks
    }
    assert classes == {type(case.make()) for case in CASES.values()}
    assert all(keras.saving.get_registered_object(f"hicmd_tf>{cls.__name__}") is cls for cls in classes)


@EVERY
def test_shapes_are_those_stated_and_rows_do_not_mix(name: str) -> None:
    case = CASES[name]
    layer = built(case.make(), case)
    whole = outputs(layer, case)
    assert [tuple(one.shape) for one in whole] == [(BATCH, *shape) for shape in case.outputs]
    for one, alone in zip(whole, outputs(layer, case, slice(1, 2)), strict=True):
        np.testing.assert_allclose(one[1:2], alone, rtol=1e-3, atol=1e-4)


@EVERY
def test_a_layer_is_rebuilt_from_its_configuration_as_json(name: str) -> None:
    case = CASES[name]
    layer = case.make()
    rebuilt = keras.saving.deserialize_keras_object(json.loads(json.dumps(keras.saving.serialize_keras_object(layer))))
    assert type(rebuilt) is type(layer) and rebuilt.get_config() == layer.get_config()
    for one, another in zip(outputs(built(rebuilt, case), case), outputs(built(layer, case), case), strict=True):
        np.testing.assert_array_equal(one, another)


@EVERY
def test_in_mixed_precision_maps_are_half_as_wide_and_weights_are_not(name: str) -> None:
    case = CASES[name]
    with computing_in("mixed_bfloat16"):
        layer = built(case.make(), case)
        found = [keras.backend.standardize_dtype(one.dtype) for one in outputs(layer, case)]
    assert found == list(case.types) * (len(found) // len(case.types))
    assert {variable.dtype for variable in layer.weights if "seed" not in variable.path} == {"float32"}


@pytest.mark.parametrize(
    "name", [name for name in CASES if name not in ("ID-PIG", "backbone")]
)  # infrared parts see none
def test_every_weight_gets_a_gradient(name: str) -> None:
    case = CASES[name]
    layer = built(case.make(), case)
    with tf.GradientTape() as tape:
        total = sum(tf.reduce_sum(tf.square(one)) for one in outputs(layer, case))
    gradients = tape.gradient(total, [variable.value for variable in layer.trainable_variables])
    assert all(gradient is not None for gradient in gradients)


@pytest.mark.parametrize("name", ["encoders", "ID-PIG", "feature learning", "backbone"])
def test_whole_models_come_back_from_a_keras_file(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    model = built(case.make(), case)
    model.save(tmp_path / "model.keras")
    for one, another in zip(
        outputs(keras.models.load_model(tmp_path / "model.keras"), case), outputs(model, case), strict=True
    ):
        np.testing.assert_array_equal(one, another)
