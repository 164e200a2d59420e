"""The whole networks: sizes of the paper's model, equal starts, and saving and loading."""

import importlib
import inspect
import json
import pkgutil
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.config.schema import (
    AttributeEncoderConfig,
    AttributeLayoutConfig,
    DecoderConfig,
    DiscriminatorConfig,
    FeatureLearningConfig,
    NetworkConfig,
    PrototypeEncoderConfig,
)
from hicmd_tf.method import networks
from hicmd_tf.method.descriptor import Descriptor
from hicmd_tf.method.networks import build
from hicmd_tf.method.networks.build import Networks, build_networks
from hicmd_tf.method.networks.convolutions import ConvolutionBlock, ResidualBlock
from hicmd_tf.method.networks.norms import ImageLayerNorm
from hicmd_tf.method.networks.resnet import Bottleneck, ConvolutionNorm
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE

Array = np.ndarray[Any, Any]

FULL = NetworkConfig(
    PrototypeEncoderConfig([32, 64, 64, 128], 4, 64, [3, 6, 9]),
    AttributeEncoderConfig(64, [64, 128, 256, 512], [3, 4, 6, 3]),
    AttributeLayoutConfig(0.5, 0.5),
    DecoderConfig(4, [128, 64]),
    DiscriminatorConfig(3, 32, 4),
    FeatureLearningConfig([128, 256], [4, 6], 0.5, True, 2048, 1024, 0.5, "batch_norm"),
    "none",
    "normal",
)
TINY = NetworkConfig(
    PrototypeEncoderConfig([4, 6, 6, 8], 1, 3, [1, 2, 3]),
    AttributeEncoderConfig(4, [2, 3, 4, 8], [1, 1, 1, 1]),
    AttributeLayoutConfig(0.5, 0.5),
    DecoderConfig(2, [6, 5]),
    DiscriminatorConfig(2, 4, 1),
    FeatureLearningConfig([2, 3], [1, 1], 0.5, True, 7, 5, 0.5, "batch_norm"),
    "none",
    "kaiming",
)
FULL_IDENTITIES = 206


@pytest.fixture(scope="module")
def full() -> Networks:
    """For sizes alone: 100 million zeros instead of random weights."""
    with pytest.MonkeyPatch.context() as patched:
        zeros = keras.initializers.Zeros()
        patched.setattr(
            keras.initializers.VarianceScaling, "__call__", lambda self, shape, dtype=None: zeros(shape, dtype)
        )
        return build_networks(FULL, FULL_IDENTITIES)


@pytest.fixture(scope="module")
def tiny() -> Networks:
    """For tests that change nothing."""
    return build_networks(TINY, 5)


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def parameters(model: Any) -> int:
    return sum(prod(v.shape) for v in model.trainable_variables)


# ---------------------------------------------------------------------------------------------- the paper's sizes


def test_parameter_counts_are_the_released_ones(full: Networks) -> None:
    for modality in MODALITIES:
        assert parameters(full.generator.encoders(modality).attribute) == 23_508_032
        assert parameters(full.generator.encoders(modality).prototype) == 1_520_448
        assert parameters(full.discriminators[modality]) == 1_025_571
    decoder = full.generator.decoder
    assert parameters(decoder) == 12_123_011
    assert sum(map(parameters, [*decoder.scales, *decoder.shifts])) == 6_303_744
    assert [parameters(stage) for stage in full.features.embedding.stages] == [1_219_584, 7_098_368]
    assert parameters(full.features.head) == 6_720_718
    assert parameters(full.features.combination) == 1
    everything = [full.generator, *full.discriminators.values(), full.features]
    assert sum(map(parameters, everything)) == 79_269_784


def test_shapes_at_the_papers_size(full: Networks) -> None:
    image = draw(1, 256, 128, 3)
    prototype, attributes = full.generator.visible(image)
    assert prototype.shape == (1, 64, 32, 256) and attributes.shape == (1, 2048)
    assert full.generator.decoder((prototype, attributes)).shape == (1, 256, 128, 3)
    maps = full.discriminators[INFRARED](image)
    assert [tuple(m.shape) for m in maps] == [(1, 64, 32, 1), (1, 32, 16, 1), (1, 16, 8, 1)]
    style = full.layout.style_of(attributes)
    head = full.features((prototype, style))
    assert style.shape == (1, 1024) and full.features.embedding(prototype).shape == (1, 1024)
    assert [tuple(out.shape) for out in head] == [(1, 2048), (1, 2048), (1, 1024), (1, FULL_IDENTITIES)]


@settings(max_examples=3, deadline=None)
@given(st.integers(4, 12), st.integers(4, 12), st.integers(1, 2))
def test_any_size_divisible_by_four_goes_through(tiny: Networks, height: int, width: int, batch: int) -> None:
    image = draw(batch, 4 * height, 4 * width, 3)
    prototype, attributes = tiny.generator.infrared(image)
    assert prototype.shape == (batch, height, width, 12) and attributes.shape == (batch, 32)
    assert tiny.generator.decoder((prototype, attributes)).shape == image.shape
    assert Descriptor(tiny).of_codes(prototype, tiny.layout.style_of(attributes)).shape == (batch, 7)
    assert len(tiny.discriminators[VISIBLE](image)) == 2


# ----------------------------------------------------------------------------------------------- how they start


def pairs(built: Networks) -> list[tuple[Any, Any]]:
    encoders, discriminators = built.generator.encoders, built.discriminators
    return [(encoders(VISIBLE), encoders(INFRARED)), (discriminators[VISIBLE], discriminators[INFRARED])]


def test_modalities_start_with_equal_weights(tiny: Networks) -> None:
    for visible, infrared in pairs(tiny):
        for one, another in zip(visible.get_weights(), infrared.get_weights(), strict=True):
            np.testing.assert_array_equal(one, another)


def test_modalities_are_independent_afterwards() -> None:
    for visible, infrared in pairs(build_networks(TINY, 5)):
        before = infrared.get_weights()
        for variable in visible.variables:
            variable.assign_add(np.ones(variable.shape))
        for one, another in zip(before, infrared.get_weights(), strict=True):
            np.testing.assert_array_equal(one, another)


def test_the_seed_decides_the_initial_weights() -> None:
    weights = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        weights.append(build._discriminator(TINY, VISIBLE).get_weights()[0])
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.abs(weights[0] - weights[2]).max() > 0.01


@pytest.mark.parametrize(("start", "deviation"), [("normal", 0.02), ("kaiming", np.sqrt(2 / 144))])
def test_discriminators_start_as_configured(start: Literal["normal", "kaiming"], deviation: float) -> None:
    config = replace(TINY, discriminator_init=start, discriminator=DiscriminatorConfig(1, 16, 1))
    kernel = build._discriminator(config, VISIBLE).scales[0].convolutions[1].convolution.kernel
    assert kernel.numpy().std() == pytest.approx(deviation, rel=0.1)


# ------------------------------------------------------------------------------------------- saving and loading

CLASSES = {
    cls
    for module in pkgutil.iter_modules(networks.__path__)
    for _, cls in inspect.getmembers(
        importlib.import_module(f"hicmd_tf.method.networks.{module.name}"), inspect.isclass
    )
    if issubclass(cls, keras.layers.Layer) and cls.__module__.startswith("hicmd_tf.")
}


def models(built: Networks) -> dict[str, Any]:
    return {"generator": built.generator, "discriminator": built.discriminators[VISIBLE], "features": built.features}


BUILD_SHAPES: dict[str, Any] = {
    "generator": (None, None, None, 3),
    "discriminator": (None, None, None, 3),
    "features": ((None, None, None, 12), (None, 16)),
}


def outputs(name: str, model: Any) -> list[Array]:
    if name == "features":
        return [np.asarray(out) for out in model((draw(2, 8, 8, 12), draw(2, 16, seed=1)))]
    out = model(draw(2, 32, 32, 3))
    return [np.asarray(part) for part in (out if isinstance(out, list) else [out])]


@pytest.fixture(scope="module")
def disturbed() -> dict[str, Any]:
    """Models whose every weight, running statistics included, differs from any initial one."""
    made = models(build_networks(TINY, 5))
    for model in made.values():
        for seed, variable in enumerate(model.weights):
            variable.assign(np.abs(0.5 + 0.2 * draw(*variable.shape, seed=seed)))
    return made


def fresh_like(name: str, model: Any) -> Any:
    """A newly initialised model of the same sizes."""
    fresh = type(model).from_config(model.get_config())
    fresh.build(BUILD_SHAPES[name])
    return fresh


def test_every_class_is_registered() -> None:
    assert len(CLASSES) >= 18
    for cls in CLASSES:
        assert keras.saving.get_registered_object(f"hicmd_tf>{cls.__name__}") is cls


def nested_layers(layer: Any) -> list[Any]:
    """A layer and all below it."""
    return [layer, *(inner for below in layer._layers for inner in nested_layers(below))]


def test_every_layer_is_rebuilt_from_its_config(tiny: Networks) -> None:
    one_a_class = {type(layer): layer for model in models(tiny).values() for layer in nested_layers(model)}
    assert one_a_class.keys() >= CLASSES
    for cls, layer in one_a_class.items():
        config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
        rebuilt = keras.saving.deserialize_keras_object(config)
        assert type(rebuilt) is cls
        assert rebuilt.get_config() == layer.get_config()


@pytest.mark.parametrize(
    "layer",
    [
        ConvolutionBlock(4, 5, 2, norm="layer", activation=False, deviation=0.3),
        ConvolutionBlock(4, 5, upsample=True),
        ConvolutionBlock(4, 3, dilation=2, norm="instance"),
        ResidualBlock(4, "adaptive", 0.3),
        ConvolutionNorm(4, 3, 2, False),
        Bottleneck(3, 2, True, True),
        ImageLayerNorm(),
    ],
)
def test_configs_keep_unusual_arguments(layer: Any) -> None:
    rebuilt = type(layer).from_config(layer.get_config())
    assert rebuilt.get_config() == layer.get_config()
    for one in (layer, rebuilt):
        one.build((None, None, None, 4))
    assert [v.shape for v in rebuilt.variables] == [v.shape for v in layer.variables]


@pytest.mark.parametrize("name", BUILD_SHAPES)
def test_saved_weights_reproduce_outputs(name: str, disturbed: dict[str, Any], tmp_path: Path) -> None:
    model, fresh = disturbed[name], fresh_like(name, disturbed[name])
    model.save_weights(tmp_path / "model.weights.h5")
    fresh.load_weights(tmp_path / "model.weights.h5")
    for one, another in zip(outputs(name, fresh), outputs(name, model), strict=True):
        np.testing.assert_array_equal(one, another)


@pytest.mark.parametrize("name", BUILD_SHAPES)
def test_whole_models_come_back_from_a_keras_file(name: str, disturbed: dict[str, Any], tmp_path: Path) -> None:
    model = disturbed[name]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    for one, another in zip(outputs(name, loaded), outputs(name, model), strict=True):
        np.testing.assert_array_equal(one, another)
