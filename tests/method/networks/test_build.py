"""The whole networks: sizes of the paper's model, and how they start."""

from dataclasses import replace
from math import prod
from typing import Any, Literal

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numeric import draw, zero_weights

from hicmd_tf.config import load
from hicmd_tf.config.schema import NetworkConfig
from hicmd_tf.method.descriptor import Descriptor
from hicmd_tf.method.networks import build
from hicmd_tf.method.networks.build import Networks, build_networks
from hicmd_tf.method.networks.convolutions import ConvolutionBlock
from hicmd_tf.method.networks.decoder import Perceptron
from hicmd_tf.method.networks.feature_learning import IdentityHead
from hicmd_tf.method.networks.norms import GroupedBatchNorm
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE

FULL_IDENTITIES = 206


@pytest.fixture(scope="module")
def full() -> Networks:
    """For sizes alone."""
    with zero_weights():
        return build_networks(load("base", {"networks.resnet_weights": "none"}).networks, FULL_IDENTITIES)


@pytest.fixture
def small(smoke_config: Any) -> NetworkConfig:
    return smoke_config.networks


def parameters(model: Any) -> int:
    return sum(prod(v.shape) for v in model.trainable_variables)


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


def test_every_variable_has_a_name_of_its_own(small: NetworkConfig) -> None:
    alike = replace(small, prototype_encoder=replace(small.prototype_encoder, dilations=[1, 1, 1]))
    for settings_of_networks in (small, alike):
        networks = build_networks(settings_of_networks, 5)
        parts = [networks.generator, *networks.discriminators.values(), networks.features]
        assert len(networks.variables()) == sum(len(part.variables) for part in parts)


def test_any_size_divisible_by_four_goes_through(small: NetworkConfig) -> None:
    networks = build_networks(small, 5)

    @settings(max_examples=3)
    @given(st.integers(4, 12), st.integers(4, 12))
    def goes_through(height: int, width: int) -> None:
        image = draw(1, 4 * height, 4 * width, 3)
        prototype, attributes = networks.generator.infrared(image)
        assert prototype.shape[:3] == (1, height, width)
        assert networks.generator.decoder((prototype, attributes)).shape == image.shape
        descriptor = Descriptor(networks)
        assert descriptor(image).shape == (1, descriptor.length)
        assert len(networks.discriminators[VISIBLE](image)) == small.discriminator.scales

    goes_through()


def test_modalities_start_with_equal_weights_of_their_own(small: NetworkConfig) -> None:
    networks = build_networks(small, 5)
    encoders, discriminators = networks.generator.encoders, networks.discriminators
    for visible, infrared in ((encoders(m) for m in MODALITIES), (discriminators[m] for m in MODALITIES)):
        before = infrared.get_weights()
        for variable, weight in zip(visible.variables, before, strict=True):
            np.testing.assert_array_equal(variable, weight)
            variable.assign_add(np.ones(variable.shape))
        for weight, other in zip(before, infrared.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, other)


def test_the_seed_decides_the_initial_weights(small: NetworkConfig) -> None:
    weights = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        weights.append(build._discriminator(small, VISIBLE).get_weights()[0])
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.abs(weights[0] - weights[2]).max() > 0.01


@pytest.mark.parametrize(("start", "deviation"), [("normal", 0.02), ("kaiming", np.sqrt(2 / 144))])
def test_discriminators_start_as_configured(
    small: NetworkConfig, start: Literal["normal", "kaiming"], deviation: float
) -> None:
    sizes = replace(small.discriminator, scales=1, width=16)
    scale = build._discriminator(replace(small, discriminator_init=start, discriminator=sizes), VISIBLE).scales[0]
    assert scale.convolutions[1].convolution.kernel.numpy().std() == pytest.approx(deviation, rel=0.1)


def test_weights_start_with_the_stated_deviations_and_biases_at_zero() -> None:
    """Kaiming by fan in outside the ResNets, by fan out in the head; scales of the head's norm round one."""
    block, perceptron = ConvolutionBlock(64, 5, upsample=True, norm="layer"), Perceptron(100)
    head, norm = IdentityHead(50, 200, 100, 0.5, "fc"), GroupedBatchNorm(gamma_deviation=0.02)
    for layer, width in ((block, 32), (perceptron, 200), (head, 100), (norm, 4000)):
        layer.build((None, None, None, width) if layer is block else (None, width))
    starts = [
        (block.convolution, np.sqrt(2 / (25 * 32))),
        (perceptron.dense[0], np.sqrt(2 / 200)),
        (head.embed, np.sqrt(2 / 200)),
        (head.triplet, np.sqrt(2 / 100)),
        (head.classify, 0.001),
    ]
    for layer, deviation in starts:
        assert layer.kernel.numpy().std() == pytest.approx(deviation, rel=0.05)
        assert not layer.bias.numpy().any()
    gamma = block.layer_norm.gamma.numpy()  # uniform
    assert 0 <= gamma.min() < 0.1 and 0.9 < gamma.max() <= 1 and not block.layer_norm.beta.numpy().any()
    assert norm.gamma.numpy().mean() == pytest.approx(1, abs=2e-3)
    assert norm.gamma.numpy().std() == pytest.approx(0.02, rel=0.05)
    assert head.norm.gamma_deviation == 0.02
