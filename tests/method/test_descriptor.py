"""The one branch from pictures to descriptors."""

from dataclasses import replace

import numpy as np
import pytest

from hicmd_tf.config import Config
from hicmd_tf.method.descriptor import Descriptor
from hicmd_tf.method.networks.build import Networks, build_networks
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE

CLASSES = 5


def built(config: Config, descriptor: str = "batch_norm") -> Networks:
    features = replace(config.networks.feature_learning, descriptor=descriptor)
    return build_networks(replace(config.networks, feature_learning=features), CLASSES)


def pictures(config: Config, count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, config.data.height, config.data.width, 3)).astype("float32")


@pytest.mark.parametrize("output", ["fc", "batch_norm"])
def test_it_is_the_heads_named_output_with_length_one_of_the_modalitys_own_encoders(
    smoke_config: Config, output: str
) -> None:
    networks, x = built(smoke_config, output), pictures(smoke_config)
    networks.generator.infrared.set_weights([1.1 * w for w in networks.generator.visible.get_weights()])
    descriptor = Descriptor(networks)
    for m in MODALITIES:
        prototype, attributes = networks.generator.encoders(m)(x)
        head = networks.features((prototype, networks.layout.style_of(attributes)))
        expected = np.array(getattr(head, output))
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(descriptor(x, modality=m), expected, atol=1e-5)
    assert np.abs(np.asarray(descriptor(x, modality=VISIBLE)) - descriptor(x, modality=INFRARED)).max() > 0.01


def test_neither_decoder_nor_classifier_is_part_of_it_and_its_digest_is_of_its_weights_alone(
    smoke_config: Config,
) -> None:
    networks = built(smoke_config)
    descriptor = Descriptor(networks)
    before = descriptor.digest()
    own = {id(variable) for variable in descriptor.variables}
    for foreign in (networks.generator.decoder, networks.features.head.classify, networks.features.head.triplet):
        assert not own & {id(variable) for variable in foreign.variables}
        foreign.set_weights([weight + 1 for weight in foreign.get_weights()])
    assert descriptor.digest() == before and descriptor.length == smoke_config.networks.feature_learning.embedding
    networks.features.combination.alpha.assign(0.25)
    assert descriptor.digest() != before
