"""TensorFlow graphs of the descriptor, with decoding, resizing and normalising in front, as in training."""

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from hicmd_tf.data.pictures import normalise, resize
from hicmd_tf.method.descriptor import Descriptor
from hicmd_tf.method.networks.build import Networks
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality, Tensor
from hicmd_tf.pictures.graph import decode

OUTPUT = "descriptors"
WARM_UP_ROWS = (1, 8)  # of requests before a server opens
DECODED_AT_ONCE = 4  # files; large photographs take memory
ONE_EACH = f"modality must name {VISIBLE} or {INFRARED} once for each picture"

Signature = Any  # tf.function, from pictures to {OUTPUT: descriptors}


class DescriptorBranch:
    """Descriptors (B, E) of pictures, as graphs by name.

    A graph raises InvalidArgumentError for an empty batch, a picture that can't be decoded and an unknown modality.

    Args:
        networks: whose encoders, H, alpha and head are used.
        height, width: what pictures of any other size are resized to.
        sixteen_bit: as data.sixteen_bit.

    length: E. digest: SHA-256 of the weights.
    """

    def __init__(self, networks: Networks, height: int, width: int, sixteen_bit: str = "") -> None:
        self.height, self.width, self.sixteen_bit = height, width, sixteen_bit
        self.descriptor = Descriptor(networks)
        self.digest, self.length = self.descriptor.digest(), self.descriptor.length
        specification = [self._normalised()]
        self._describers = {  # traced once, whoever calls them
            m: tf.function(partial(self.descriptor.describe, m), input_signature=specification) for m in MODALITIES
        }

    def describe(self, modality: Modality, x: Tensor) -> Tensor:
        """Normalised pictures (B, height, width, 3) of one modality -> descriptors (B, E)."""
        return self._describers[modality](x)

    def signatures(self) -> dict[str, Signature]:
        """The graphs to be served: of one modality's pictures, of mixed batches, and twins that take encoded files."""
        pictures = tf.TensorSpec((None, None, None, 3), tf.uint8, "pictures")
        encoded = tf.TensorSpec((None,), tf.string, "picture_bytes")
        modality = tf.TensorSpec((None,), tf.string, "modality")
        found: dict[str, Signature] = {}
        for name in MODALITIES:
            found[name] = self._alone(name, self.sized, pictures)
            found[f"{name}_bytes"] = self._alone(name, self.decoded, encoded)
        found["serving_default"] = self._mixed(self.sized, pictures, modality)
        found["serving_default_bytes"] = self._mixed(self.decoded, encoded, modality)
        return found

    def floats(self, modality: Modality) -> Signature:
        """The graph from normalised pictures float32 (B, height, width, 3) on, which ONNX files are made of."""
        return self._alone(modality, lambda x: x, self._normalised())

    def sized(self, pictures: Tensor) -> Tensor:
        """uint8 pictures (B, h, w, 3) of any one size -> normalised ones (B, height, width, 3)."""
        shape = tf.shape(pictures)
        some = tf.debugging.assert_positive(shape, "pictures are empty: give at least one, of at least one pixel")
        with tf.control_dependencies([some]):  # before anything else can fail
            pictures = tf.identity(pictures)
        fits = tf.logical_and(shape[1] == self.height, shape[2] == self.width)
        sized = tf.cond(fits, lambda: pictures, lambda: resize(pictures, self.height, self.width))
        return normalise(tf.ensure_shape(sized, (None, self.height, self.width, 3)))

    def decoded(self, picture_bytes: Tensor) -> Tensor:
        """Encoded files (B,) of any sizes -> normalised pictures (B, height, width, 3)."""
        some = tf.debugging.assert_positive(
            tf.size(picture_bytes), "picture_bytes are empty: give at least one picture"
        )
        with tf.control_dependencies([some]):
            picture_bytes = tf.identity(picture_bytes)
        pictures = tf.map_fn(
            self._fitted,
            picture_bytes,
            parallel_iterations=DECODED_AT_ONCE,
            fn_output_signature=tf.uint8,
        )
        return normalise(pictures)

    def _fitted(self, encoded: Tensor) -> Tensor:
        picture = decode(encoded, self.sixteen_bit)
        shape = tf.shape(picture)
        fits = tf.logical_and(shape[0] == self.height, shape[1] == self.width)
        picture = tf.cond(fits, lambda: picture, lambda: resize(picture, self.height, self.width))
        return tf.ensure_shape(picture, (self.height, self.width, 3))

    def _normalised(self) -> tf.TensorSpec:
        return tf.TensorSpec((None, self.height, self.width, 3), tf.float32, "normalised")

    def _alone(self, modality: Modality, prepare: Callable[[Tensor], Tensor], spec: tf.TensorSpec) -> Signature:
        def run(pictures: Tensor) -> dict[str, Tensor]:
            return {OUTPUT: self.describe(modality, prepare(pictures))}

        return tf.function(run, input_signature=[spec])

    def _mixed(self, prepare: Callable[[Tensor], Tensor], spec: tf.TensorSpec, modality: tf.TensorSpec) -> Signature:
        def run(pictures: Tensor, modality: Tensor) -> dict[str, Tensor]:
            x = prepare(pictures)
            rows = [tf.where(tf.equal(modality, name))[:, 0] for name in MODALITIES]
            counts = tf.stack([tf.shape(x)[0], tf.shape(modality)[0]])
            with tf.control_dependencies([tf.debugging.assert_equal(counts, sum(map(tf.size, rows)), ONE_EACH)]):
                x = tf.identity(x)
            parts = [self._some(name, tf.gather(x, r)) for name, r in zip(MODALITIES, rows, strict=True)]
            return {OUTPUT: tf.dynamic_stitch([tf.cast(r, tf.int32) for r in rows], parts)}

        return tf.function(run, input_signature=[spec, modality])

    def _some(self, modality: Modality, x: Tensor) -> Tensor:
        """Descriptors of pictures, of which there may be none."""
        return tf.cond(
            tf.shape(x)[0] > 0, lambda: self.describe(modality, x), lambda: tf.zeros((0, self.length), x.dtype)
        )
