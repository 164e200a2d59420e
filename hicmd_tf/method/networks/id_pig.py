"""ID-PIG, the ID-preserving person image generation network: the encoders of both modalities and their one decoder."""

from typing import Any

import keras

from hicmd_tf.method.networks.decoder import Decoder
from hicmd_tf.method.networks.encoders import Encoders
from hicmd_tf.method.networks.layers import Shape, serialisable
from hicmd_tf.notation import INFRARED, VISIBLE, Modality, Tensor


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
