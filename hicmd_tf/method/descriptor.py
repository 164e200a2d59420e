"""The descriptor branch: what looks people up, and all that leaves the laboratory (Sec. 3.3, testing)."""

import hashlib
from typing import TYPE_CHECKING, Any

import keras

from hicmd_tf.method.networks.feature_learning import l2_normalise
from hicmd_tf.notation import VISIBLE, Modality, Tensor

if TYPE_CHECKING:
    from hicmd_tf.method.networks.build import Networks


class Describing(keras.Model):
    """The common base of descriptors of any method: normalised pictures of one modality -> descriptors of length 1."""

    @property
    def length(self) -> int:
        """E, entries of a descriptor."""
        raise NotImplementedError

    def parts(self) -> tuple[str, list[keras.layers.Layer]]:
        """The form of the descriptor, in a word, and the networks that it is computed by."""
        raise NotImplementedError

    def describe(self, modality: Modality, x: Tensor) -> Tensor:
        """Pictures (B, H, W, 3) -> descriptors (B, E), as `describing` of an engine asks for it."""
        return self(x, modality=modality)

    def digest(self) -> str:
        """SHA-256 of its weights: which descriptors can be compared."""
        form, parts = self.parts()
        found = hashlib.sha256(form.encode())
        for part in parts:
            for weight in part.get_weights():
                found.update(weight.tobytes())
        return found.hexdigest()


class Descriptor(Describing):
    """Normalised pictures x (B, H, W, 3) of one modality -> descriptors f (B, E) of length 1, in inference mode.

    x -> E^p, E^a of its modality -> p, a^s -> d_comb = [alpha p^d; (1 - alpha) a^s], p^d = H(p) -> the head up to f.

    Shares the layers of the networks. Decoder, discriminators and the classifier, which would reveal whom the networks
    were trained on, are no part of it.
    """

    def __init__(self, networks: "Networks", **kwargs: Any) -> None:
        super().__init__(**{"name": "descriptor", **kwargs})
        features = networks.features
        self.visible, self.infrared = networks.generator.visible, networks.generator.infrared
        self.embedding, self.combination = features.embedding, features.combination
        self.embed, self.norm = features.head.embed, features.head.norm
        self.layout, self.output_name = networks.layout, features.head.descriptor
        self.built = True

    @property
    def length(self) -> int:
        """E, entries of a descriptor."""
        return int(self.embed.units)

    def call(self, x: Tensor, modality: Modality = VISIBLE) -> Tensor:
        prototype, attributes = (self.visible if modality == VISIBLE else self.infrared)(x, training=False)
        return self.of_codes(prototype, self.layout.style_of(attributes))

    def of_codes(self, prototype: Tensor, style: Tensor) -> Tensor:
        """Descriptors (B, E) of prototypes p (B, h, w, C) and styles a^s (B, S)."""
        combined = self.combination(self.embedding(prototype, training=False), style)  # d_comb (B, 2048)
        fc = self.embed(combined)
        return l2_normalise(fc if self.output_name == "fc" else self.norm(fc, training=False))

    def parts(self) -> tuple[str, list[keras.layers.Layer]]:
        """As `Describing` says."""
        return self.output_name, [self.visible, self.infrared, self.embedding, self.combination, self.embed, self.norm]
