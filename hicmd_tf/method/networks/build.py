"""All networks of a configuration, built and with their initial weights."""

from typing import NamedTuple

import keras

from hicmd_tf.attributes import AttributeLayout
from hicmd_tf.config.schema import NetworkConfig
from hicmd_tf.method.networks.decoder import Decoder
from hicmd_tf.method.networks.discriminator import Discriminator
from hicmd_tf.method.networks.encoders import AttributeEncoder, Encoders, PrototypeEncoder
from hicmd_tf.method.networks.feature_learning import Combination, FeatureLearning, IdentityHead, PrototypeEmbedding
from hicmd_tf.method.networks.id_pig import IdPig
from hicmd_tf.method.networks.pretrained import ResNetWeights, read_resnet, stride_first
from hicmd_tf.notation import MODALITIES, Modality

IMAGE_SHAPE = (None, None, None, 3)


class Networks(NamedTuple):
    """What Figure 2 draws, and the layout of the attribute code between them."""

    generator: IdPig
    discriminators: dict[Modality, Discriminator]
    features: FeatureLearning
    layout: AttributeLayout

    def variables(self) -> dict[str, keras.Variable]:
        """Weights, running statistics and random states, by names that are the same in every process."""
        parts: dict[str, keras.Model] = {
            "generator": self.generator,
            **{f"{modality}_discriminator": self.discriminators[modality] for modality in MODALITIES},
            "features": self.features,
        }
        return {
            f"{part}/{variable.path.partition('/')[2]}": variable
            for part, network in parts.items()
            for variable in network.variables
        }


def build_networks(config: NetworkConfig, classes: int, restored: bool = False) -> Networks:
    """The networks for so many training identities. Initial weights follow Keras' global seed.

    restored: whether all weights come from a checkpoint, so that initial ResNet weights need not be fetched. Raises
    UserError when these can't be had or don't fit.
    """
    weights = None if restored else read_resnet(config.resnet_weights)
    first = stride_first(config.resnet_weights) if weights is None else weights.stride_first
    generator = _id_pig(config, weights, first)
    discriminators = {modality: _discriminator(config, modality) for modality in MODALITIES}
    discriminators["infrared"].set_weights(discriminators["visible"].get_weights())
    features = _features(config, weights, first, classes)
    return Networks(generator, discriminators, features, AttributeLayout.from_config(config))


def _id_pig(config: NetworkConfig, weights: ResNetWeights | None, first: bool) -> IdPig:
    prototype, attribute = config.prototype_encoder, config.attribute_encoder

    def encoders(modality: Modality) -> Encoders:
        return Encoders(
            PrototypeEncoder(
                prototype.widths,
                prototype.residual_blocks,
                prototype.aspp_width,
                prototype.dilations,
                name="prototype",
            ),
            AttributeEncoder(attribute.stem_width, attribute.widths, attribute.depths, first, name="attribute"),
            name=modality,
        )

    channels = prototype.aspp_width * (1 + len(prototype.dilations))
    decoder = Decoder(channels, config.decoder.residual_blocks, config.decoder.widths, name="decoder")
    generator = IdPig(encoders("visible"), encoders("infrared"), decoder, name="id_pig")
    generator.build(IMAGE_SHAPE)
    if weights is not None:
        for modality in MODALITIES:
            encoder = generator.encoders(modality).attribute
            weights.fill(encoder.stem, encoder.stages, first_stage=1)
    return generator


def _discriminator(config: NetworkConfig, modality: Modality) -> Discriminator:
    sizes = config.discriminator
    deviation = 0.02 if config.discriminator_init == "normal" else None
    discriminator = Discriminator(
        sizes.scales, sizes.width, sizes.residual_blocks, deviation, name=f"discriminator_{modality}"
    )
    discriminator.build(IMAGE_SHAPE)
    return discriminator


def _features(config: NetworkConfig, weights: ResNetWeights | None, first: bool, classes: int) -> FeatureLearning:
    sizes = config.feature_learning
    features = FeatureLearning(
        PrototypeEmbedding(sizes.widths, sizes.depths, first, name="embedding"),
        Combination(sizes.alpha, sizes.normalise_parts, name="combination"),
        IdentityHead(classes, sizes.embedding, sizes.triplet_embedding, sizes.dropout, name="head"),
        sizes.descriptor,
        name="feature_learning",
    )
    channels = config.prototype_encoder.aspp_width * (1 + len(config.prototype_encoder.dilations))
    style_length = AttributeLayout.from_config(config).style_length
    features.build(((None, None, None, channels), (None, style_length)))
    if weights is not None:
        weights.fill(None, features.embedding.stages, first_stage=2)
    return features
