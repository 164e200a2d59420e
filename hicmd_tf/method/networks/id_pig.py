"""ID-PIG, the ID-preserving person image generation network: the encoders of both modalities and their one decoder."""

from typing import Any, ClassVar

import keras

from hicmd_tf.method.networks.decoder import Decoder
from hicmd_tf.method.networks.encoders import Encoders
from hicmd_tf.method.networks.layers import Composed, Shape, serialisable
from hicmd_tf.notation import VISIBLE, Modality, Tensor


@serialisable
class IdPig(Composed, keras.Model):
    """The encoders of both modalities, equal at the start, and the decoder. Called on visible images it encodes and
    decodes them (autoencoding, the simplest use)."""

    parts: ClassVar = {"visible": Encoders, "infrared": Encoders, "decoder": Decoder}

    def __init__(self, visible: Encoders, infrared: Encoders, decoder: Decoder, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.visible, self.infrared, self.decoder = visible, infrared, decoder

    def encoders(self, modality: Modality) -> Encoders:
        """E^p and E^a of a modality."""
        return self.visible if modality == VISIBLE else self.infrared

    def build(self, input_shape: Shape) -> None:
        self.visible.build(input_shape)
        self.infrared.build(input_shape)
        self.infrared.set_weights(self.visible.get_weights())
        prototype, attribute = self.visible.prototype, self.visible.attribute
        self.decoder.build(((None, None, None, prototype.channels), (None, attribute.length)))

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        return self.decoder(tuple(self.visible(x, training=training)))
