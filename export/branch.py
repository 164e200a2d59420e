"""TensorFlow graphs of a run's descriptor, with decoding, resizing and normalising in front, as in training."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from hicmd_tf.config import Config
from hicmd_tf.data.pictures import normalise
from hicmd_tf.export.artefacts import OUTPUT
from hicmd_tf.method.descriptor import Describing
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality, Tensor
from hicmd_tf.pictures.decode import as_png
from hicmd_tf.pictures.graph import decode
from hicmd_tf.pictures.resizing import resize
from hicmd_tf.retrieval.threshold import Threshold
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.runs.trained import Trained

WARM_UP_ROWS = (1, 8)  # of requests before a server opens
DECODED_AT_ONCE = 4  # files; large photographs take memory
ONE_EACH = f"modality must name {VISIBLE} or {INFRARED} once for each picture"

Signature = Any  # tf.function, from pictures to {OUTPUT: descriptors}


class DescriptorBranch:
    """Descriptors (B, E) of pictures, as graphs by name.

    A graph raises InvalidArgumentError for an empty batch, a picture that can't be decoded and an unknown modality.

    Args:
        descriptor: of a run's networks.
        height, width: what pictures of any other size are resized to.
        sixteen_bit: as data.sixteen_bit.

    length: E. digest: SHA-256 of the weights.
    """

    def __init__(self, descriptor: Describing, height: int, width: int, sixteen_bit: str = "") -> None:
        self.height, self.width, self.sixteen_bit = height, width, sixteen_bit
        self.descriptor = descriptor
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
        pictures = _some(tf.shape(pictures), pictures, "pictures are empty: give at least one, of at least one pixel")
        return normalise(tf.cast(self._fitted(pictures), tf.float32))

    def decoded(self, picture_bytes: Tensor) -> Tensor:
        """Encoded files (B,) of any sizes -> normalised pictures (B, height, width, 3)."""
        encoded = _some(tf.size(picture_bytes), picture_bytes, "picture_bytes are empty: give at least one picture")
        pictures = tf.map_fn(
            lambda one: self._fitted(decode(one, self.sixteen_bit)),
            encoded,
            parallel_iterations=DECODED_AT_ONCE,
            fn_output_signature=tf.uint8,
        )
        return normalise(tf.cast(pictures, tf.float32))

    def _fitted(self, pictures: Tensor) -> Tensor:
        """uint8 (..., h, w, 3) -> (..., height, width, 3)."""
        fits = tf.reduce_all(tf.shape(pictures)[-3:-1] == [self.height, self.width])
        sized = tf.cond(fits, lambda: pictures, lambda: resize(pictures, self.height, self.width))
        return tf.ensure_shape(sized, (*pictures.shape[:-3], self.height, self.width, 3))

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
            parts = [self._described(name, tf.gather(x, r)) for name, r in zip(MODALITIES, rows, strict=True)]
            return {OUTPUT: tf.dynamic_stitch([tf.cast(r, tf.int32) for r in rows], parts)}

        return tf.function(run, input_signature=[spec, modality])

    def _described(self, modality: Modality, x: Tensor) -> Tensor:
        """Descriptors of pictures, of which there may be none."""
        return tf.cond(
            tf.shape(x)[0] > 0, lambda: self.describe(modality, x), lambda: tf.zeros((0, self.length), x.dtype)
        )


def _some(sizes: Tensor, value: Tensor, refusal: str) -> Tensor:
    """A value whose sizes must be above 0, which is found out before anything else can fail."""
    with tf.control_dependencies([tf.debugging.assert_positive(sizes, refusal)]):
        return tf.identity(value)


def warm_up(height: int, width: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Signatures and inputs that a server answers to itself before it opens, so that the first user need not wait."""
    grey = np.full((height, width, 3), 128, np.uint8)
    for rows in WARM_UP_ROWS:
        mixed = np.array([MODALITIES[row % 2].encode() for row in range(rows)])
        pictures, files = np.stack([grey] * rows), np.array([as_png(grey)] * rows, object)
        for suffix, inputs in (("", {"pictures": pictures}), ("_bytes", {"picture_bytes": files})):
            for modality in MODALITIES:
                yield f"{modality}{suffix}", inputs
            yield f"serving_default{suffix}", {**inputs, "modality": mixed}


class Source(NamedTuple):
    """The source of an export. config: of the run. branch: its weights were trained for `step` iterations. trained: on
    whom, where the run says so. threshold: of similarities, where the run has one."""

    config: Config
    branch: DescriptorBranch
    step: int
    trained: Trained | None
    threshold: Threshold | None = None


def source_of(run: OpenedRun) -> Source:
    """The descriptor branch of a run's newest checkpoint."""
    data, model = run.config.data, run.model
    branch = DescriptorBranch(model.descriptor, data.height, data.width, data.sixteen_bit)
    return Source(run.config, branch, model.step, run.trained_on, run.threshold)
