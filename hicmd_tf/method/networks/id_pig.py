"""ID-PIG, the ID-preserving person image generation network: the encoders of both modalities and their one decoder."""

from typing import Any

import keras

from hicmd_tf.method.networks.attribute_encoder import AttributeEncoder
from hicmd_tf.method.networks.batch_norm import Groups
from hicmd_tf.method.networks.decoder import Decoder
from hicmd_tf.method.networks.layers import Shape, serialisable
from hicmd_tf.method.networks.prototype_encoder import PrototypeEncoder
from hicmd_tf.notation import INFRARED, VISIBLE, Codes, Modality, Tensor


@serialisable
class Encoders(keras.Model):
    """E^p and E^a of one modality: x (B, H, W, 3) -> `Codes`."""

    def __init__(self, prototype: PrototypeEncoder, attribute: AttributeEncoder, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prototype = prototype
        self.attribute = attribute

    def build(self, input_shape: Shape) -> None:
        self.prototype.build(input_shape)
        self.attribute.build(input_shape)

    def call(self, x: Tensor, training: bool = False, groups: Groups = None, updates: int = 1) -> Codes:
        """groups, updates: see `GroupedBatchNorm`; E^p has no batch norm."""
        return Codes(self.prototype(x), self.attribute(x, training=training, groups=groups, updates=updates))

    def get_config(self) -> dict[str, Any]:
        parts = {name: getattr(self, name).get_config() for name in ("prototype", "attribute")}
        return {**super().get_config(), **parts}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Encoders":
        parts = {
            "prototype": PrototypeEncoder.from_config(config["prototype"]),
            "attribute": AttributeEncoder.from_config(config["attribute"]),
        }
        return cls(**{**config, **parts})


@serialisable
class IdPig(keras.Model):
    """The encoders of both modalities, equal at the start, and the decoder. Called on visible images it encodes and
    decodes them (autoencoding, the simplest use)."""

    def __init__(self, visible: Encoders, infrared: Encoders, decoder: Decoder, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.visible = visible
        self.infrared = infrared
        self.decoder = decoder

    def encoders(self, modality: Modality) -> Encoders:
        """E^p and E^a of a modality."""
        return {VISIBLE: self.visible, INFRARED: self.infrared}[modality]

    def build(self, input_shape: Shape) -> None:
        self.visible.build(input_shape)
        self.infrared.build(input_shape)
        self.infrared.set_weights(self.visible.get_weights())
        attributes = 4 * self.visible.attribute.sizes["widths"][-1]
        self.decoder.build(((None, None, None, self.visible.prototype.channels), (None, attributes)))

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        return self.decoder(tuple(self.visible(x, training=training)))

    def get_config(self) -> dict[str, Any]:
        parts = {name: getattr(self, name).get_config() for name in ("visible", "infrared", "decoder")}
        return {**super().get_config(), **parts}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "IdPig":
        parts = {
            "visible": Encoders.from_config(config["visible"]),
            "infrared": Encoders.from_config(config["infrared"]),
            "decoder": Decoder.from_config(config["decoder"]),
        }
        return cls(**{**config, **parts})
