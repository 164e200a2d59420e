"""All networks of a configuration, built and with their initial weights."""

from typing import Any, NamedTuple

import keras

from hicmd_tf.attributes import AttributeLayout
from hicmd_tf.config.kinds import stride_first
from hicmd_tf.config.schema import NetworkConfig
from hicmd_tf.method.descriptor import Descriptor
from hicmd_tf.method.networks.decoder import Decoder
from hicmd_tf.method.networks.discriminator import Discriminator
from hicmd_tf.method.networks.encoders import AttributeEncoder, Encoders, PrototypeEncoder
from hicmd_tf.method.networks.feature_learning import Combination, FeatureLearning, IdentityHead, PrototypeEmbedding
from hicmd_tf.method.networks.id_pig import IdPig
from hicmd_tf.method.networks.pretrained import read_resnet
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality, Part

IMAGE_SHAPE = (None, None, None, 3)


class Networks(NamedTuple):
    """The networks of Figure 2, and the layout of the attribute code between them."""

    generator: IdPig
    discriminators: dict[Modality, Discriminator]
    features: FeatureLearning
    layout: AttributeLayout

    @property
    def classes(self) -> int:
        """Training identities."""
        return int(self.features.head.classes)

    def descriptor(self) -> Descriptor:
        """What describes pictures."""
        return Descriptor(self)

    def variables(self) -> dict[str, keras.Variable]:
        """Weights, running statistics and random states, by names that are the same in every process."""
        parts: dict[str, keras.layers.Layer] = {
            "generator": self.generator,
            **{f"{modality}_discriminator": self.discriminators[modality] for modality in MODALITIES},
            "features": self.features,
        }
        return {
            f"{part}/{variable.path.partition('/')[2]}": variable
            for part, network in parts.items()
            for variable in network.variables
        }

    def by_part(self) -> dict[str, list[keras.layers.Layer]]:
        """The networks by the names of `training.frozen`, those of both modalities together."""
        encoders = [self.generator.encoders(m) for m in MODALITIES]
        return {
            "prototype_encoders": [of.prototype for of in encoders],
            "attribute_encoders": [of.attribute for of in encoders],
            "decoder": [self.generator.decoder],
            "discriminators": [self.discriminators[m] for m in MODALITIES],
            "embedding": [self.features.embedding],
            "combination": [self.features.combination],
            "head": [self.features.head],
        }

    def trained(self) -> dict[Part, list[keras.Variable]]:
        """What each optimiser trains."""
        discriminators = self.discriminators
        return {
            "generator": self.generator.trainable_variables,
            "discriminator": [v for m in MODALITIES for v in discriminators[m].trainable_variables],
            "features": self.features.trainable_variables,
        }

    def twins(self) -> dict[Part, list[tuple[Any, ...]]]:
        """The networks that each optimiser trains; two equal ones of both modalities together."""
        features = self.features
        return {
            "generator": [tuple(self.generator.encoders(m) for m in MODALITIES), (self.generator.decoder,)],
            "discriminator": [tuple(self.discriminators[m] for m in MODALITIES)],
            "features": [(features.embedding,), (features.combination,), (features.head,)],
        }


def build_networks(config: NetworkConfig, classes: int, restored: bool = False) -> Networks:
    """The networks for so many training identities. Initial weights follow Keras' global seed.

    restored: whether all weights come from a checkpoint, so that initial ResNet weights need not be fetched. Raises
    UserError when these can't be had or don't fit.
    """
    weights = None if restored else read_resnet(config.resnet_weights)
    first = stride_first(config.resnet_weights)
    generator = _id_pig(config, first)
    discriminators = {modality: _discriminator(config, modality) for modality in MODALITIES}
    discriminators[INFRARED].set_weights(discriminators[VISIBLE].get_weights())
    layout = AttributeLayout.from_config(config)
    features = _features(config, first, classes)
    features.build(((None, None, None, generator.visible.prototype.channels), (None, layout.style_length)))
    if weights is not None:
        for modality in MODALITIES:
            encoder = generator.encoders(modality).attribute
            weights.fill(encoder.stages, first=1, stem=encoder.stem)
        weights.fill(features.embedding.stages, first=2)
    return Networks(generator, discriminators, features, layout)


def _id_pig(config: NetworkConfig, first: bool) -> IdPig:
    of_prototype, of_attribute = config.prototype_encoder, config.attribute_encoder

    def encoders(modality: Modality) -> Encoders:
        sizes = of_prototype.widths, of_prototype.residual_blocks, of_prototype.aspp_width, of_prototype.dilations
        prototype = PrototypeEncoder(*sizes, name="prototype")
        resnet = of_attribute.stem_width, of_attribute.widths, of_attribute.depths
        return Encoders(prototype, AttributeEncoder(*resnet, first, name="attribute"), name=modality)

    visible, infrared = map(encoders, MODALITIES)
    decoder = Decoder(visible.prototype.channels, config.decoder.residual_blocks, config.decoder.widths, name="decoder")
    generator = IdPig(visible, infrared, decoder, name="id_pig")
    generator.build(IMAGE_SHAPE)
    return generator


def _discriminator(config: NetworkConfig, modality: Modality) -> Discriminator:
    sizes = config.discriminator
    deviation = 0.02 if config.discriminator_init == "normal" else None
    discriminator = Discriminator(
        sizes.scales, sizes.width, sizes.residual_blocks, deviation, name=f"discriminator_{modality}"
    )
    discriminator.build(IMAGE_SHAPE)
    return discriminator


def _features(config: NetworkConfig, first: bool, classes: int) -> FeatureLearning:
    sizes = config.feature_learning
    head = classes, sizes.embedding, sizes.triplet_embedding, sizes.dropout, sizes.descriptor
    return FeatureLearning(
        PrototypeEmbedding(sizes.widths, sizes.depths, first, name="embedding"),
        Combination(sizes.alpha, sizes.normalise_parts, name="combination"),
        IdentityHead(*head, name="head"),
        name="feature_learning",
    )
