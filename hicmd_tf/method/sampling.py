"""Alternate sampling: which combinations of prototype and style HFL learns from (Sec. 3.3, rows 5 and 9)."""

from itertools import product
from typing import Literal, NamedTuple

from keras import ops

from hicmd_tf.notation import MODALITIES, Modality, Tensor

Form = Literal["released", "paper", "original"]


class Parts(NamedTuple):
    """The weighted parts of d_comb of some images: alpha p^d (B, P) and (1 - alpha) a^s (B, S)."""

    prototype: Tensor
    style: Tensor


class Group(NamedTuple):
    """Rows of the identity head: d_comb parts, labels (B,), the modality whose anchors they are (None: no anchors)."""

    prototype: Tensor
    style: Tensor
    labels: Tensor
    anchors: Modality | None


ByModality = dict[Modality, Parts]


def feature_groups(
    form: Form,
    real: ByModality,
    generated: ByModality,
    negatives: ByModality,
    labels: Tensor,
    negative_labels: dict[Modality, Tensor],
) -> list[Group]:
    """The groups of rows in the release's order.

    real, generated: parts of the P pairs' images and of the images generated in the look of each modality, whose rows
    all show identities `labels` (P,). negatives: of further identities, or empty.

    original: real images and negatives. released: also generated images, and real with generated codes of one modality.
    paper: every prototype with every style of the same person.
    """
    whole = [real] if form == "original" else [real, generated]
    groups = [Group(*source[modality], labels, modality) for source in whole for modality in MODALITIES]
    groups += [Group(*negatives[m], negative_labels[m], None) for m in MODALITIES if m in negatives]
    if form == "released":
        groups += [mix for m in MODALITIES for mix in _mixed(real[m], generated[m], labels, m)]
    if form == "paper":
        sources = [(source[m], m) for source in whole for m in MODALITIES]
        groups += [
            Group(one.prototype, another.style, labels, modality)
            for (one, modality), (another, _) in product(sources, sources)
            if one is not another
        ]
    return groups


def _mixed(real: Parts, generated: Parts, labels: Tensor, modality: Modality) -> list[Group]:
    return [
        Group(real.prototype, generated.style, labels, modality),
        Group(generated.prototype, real.style, labels, modality),
    ]


class Rows(NamedTuple):
    """All groups as one batch of R rows: d_comb (R, D), labels (R,), and the row numbers of each modality's anchors."""

    combined: Tensor
    labels: Tensor
    anchors: dict[Modality, tuple[int, ...]]


def stack(groups: list[Group]) -> Rows:
    """The groups one after another. Their sizes must be static."""
    parts = [ops.concatenate([group.prototype, group.style], axis=-1) for group in groups]
    owners = [group.anchors for group in groups for _ in range(group.prototype.shape[0])]
    anchors = {m: tuple(row for row, owner in enumerate(owners) if owner == m) for m in MODALITIES}
    labels = ops.concatenate([group.labels for group in groups])
    return Rows(ops.concatenate(parts, axis=0), labels, anchors)
