"""HFL, hierarchical feature learning: the embedding H, the weight alpha and the identity head (Sec. 3.3)."""

from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import keras
from keras import ops

from hicmd_tf.method.networks.layers import Composed, Shape, build_chain, kaiming, normal, run_chain, serialisable
from hicmd_tf.method.networks.norms import GroupedBatchNorm, Groups
from hicmd_tf.method.networks.resnet import Stage
from hicmd_tf.method.precision import accurate, full_precision
from hicmd_tf.notation import Tensor


def l2_normalise(x: Tensor) -> Tensor:
    """(B, D) -> rows of length 1 (a row of zeros stays one)."""
    return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis=-1, keepdims=True), 1e-24))


@serialisable
class PrototypeEmbedding(keras.layers.Layer):
    """H: prototype p (B, h, w, C) -> ID-discriminative prototype code p^d (B, 4 widths[-1]).

    The second and third stage of a ResNet and the mean over their map.
    """

    def __init__(self, widths: list[int], depths: list[int], stride_first: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stride_first = stride_first
        self.stages = [
            Stage(width, depth, 2, stride_first, name=f"stage_{i + 2}")
            for i, (width, depth) in enumerate(zip(widths, depths, strict=True))
        ]

    @property
    def channels(self) -> int:
        """Length of p^d."""
        return self.stages[-1].channels

    def build(self, input_shape: Shape) -> None:
        build_chain(self.stages, input_shape[-1])

    def call(self, prototype: Tensor, training: bool = False, groups: Groups = None) -> Tensor:
        x = run_chain(self.stages, prototype, training=training, groups=groups)  # (B, h/4, w/4, 1024)
        return ops.mean(accurate(x), axis=(1, 2))


@serialisable
class Combination(keras.layers.Layer):
    """The two parts of d_comb = [alpha p^d; (1 - alpha) a^s], alpha a learned scalar.

    normalise_parts: L2-normalise p^d and a^s first, without which alpha would mean little (released, row 6).
    """

    def __init__(self, alpha: float, normalise_parts: bool, **kwargs: Any) -> None:
        super().__init__(**{"dtype": full_precision(), **kwargs})
        self.initial, self.normalise_parts = keras.initializers.Constant(alpha), normalise_parts

    def build(self, input_shape: Shape | None = None) -> None:
        self.alpha = self.add_weight(name="alpha", shape=(), initializer=self.initial)

    def prototype_part(self, embedded: Tensor) -> Tensor:
        """alpha p^d of p^d (B, D)."""
        return ops.minimum(self.alpha, 1.0) * self._normalised(embedded)

    def style_part(self, style: Tensor) -> Tensor:
        """(1 - alpha) a^s of a^s (B, D)."""
        return ops.maximum(1.0 - self.alpha, 0.0) * self._normalised(style)

    def _normalised(self, part: Tensor) -> Tensor:
        return l2_normalise(part) if self.normalise_parts else part

    def call(self, embedded: Tensor, style: Tensor) -> Tensor:
        """d_comb (B, D_p + D_s)."""
        return ops.concatenate([self.prototype_part(embedded), self.style_part(style)], axis=-1)


class Identification(NamedTuple):
    """The outputs of the identity head for R rows.

    fc: output of the fully connected layer, f of the paper's text (R, E).
    batch_norm: fc after its BatchNorm, the released f (R, E).
    triplet: the separate output that the released triplet loss compares (R, T).
    logits: class scores (R, classes).
    """

    fc: Tensor
    batch_norm: Tensor
    triplet: Tensor
    logits: Tensor


@serialisable
class IdentityHead(keras.layers.Layer):
    """d_comb (R, D) -> `Identification`. Dropout stands between BatchNorm and the last two layers.

    descriptor: which output describes a person.
    """

    def __init__(
        self,
        classes: int,
        embedding: int,
        triplet_embedding: int,
        dropout: float,
        descriptor: Literal["fc", "batch_norm"],
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": full_precision(), **kwargs})
        self.classes, self.descriptor = classes, descriptor
        dense = partial(keras.layers.Dense, dtype=self.dtype_policy)
        self.embed = dense(embedding, kernel_initializer=kaiming("fan_out"), name="embed")
        self.norm = GroupedBatchNorm(gamma_deviation=0.02, name="norm", dtype=self.dtype_policy.name)
        self.dropout = keras.layers.Dropout(dropout, name="dropout", dtype=self.dtype_policy)
        self.triplet = dense(triplet_embedding, kernel_initializer=kaiming("fan_out"), name="triplet")
        self.classify = dense(classes, kernel_initializer=normal(0.0, 0.001), name="classify")

    def build(self, input_shape: Shape) -> None:
        self.embed.build(input_shape)
        for layer in (self.norm, self.dropout, self.triplet, self.classify):
            layer.build((None, self.embed.units))

    def call(self, combined: Tensor, training: bool = False) -> Identification:
        fc = self.embed(combined)
        batch_norm = self.norm(fc, training=training)
        dropped = self.dropout(batch_norm, training=training)
        return Identification(fc, batch_norm, self.triplet(dropped), self.classify(dropped))


@serialisable
class FeatureLearning(Composed, keras.Model):
    """H, alpha and head: (prototype p (B, h, w, C), style a^s (B, S)) -> `Identification` of B rows."""

    parts: ClassVar = {"embedding": PrototypeEmbedding, "combination": Combination, "head": IdentityHead}

    def __init__(
        self, embedding: PrototypeEmbedding, combination: Combination, head: IdentityHead, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.embedding, self.combination, self.head = embedding, combination, head

    def build(self, input_shape: tuple[Shape, Shape]) -> None:
        """input_shape: of prototype (B, h, w, C) and style (B, S)."""
        prototype, style = input_shape
        self.embedding.build(prototype)
        self.combination.build()
        self.head.build((None, self.embedding.channels + (style[-1] or 0)))

    def call(self, parts: tuple[Tensor, Tensor], training: bool = False) -> Identification:
        prototype, style = parts
        return self.head(self.combination(self.embedding(prototype, training=training), style), training=training)
