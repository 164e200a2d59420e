"""Alternate sampling: which combinations of prototype and style HFL learns from (Sec. 3.3, rows 5 and 9)."""

from itertools import permutations
from typing import Literal, NamedTuple

from keras import ops

from hicmd_tf.notation import MODALITIES, Modality, Tensor

Form = Literal["released", "paper", "original"]
Kind = Literal["real", "generated", "negatives"]


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
    form: Form, parts: dict[Kind, ByModality], labels: Tensor, negative_labels: dict[Modality, Tensor]
) -> list[Group]:
    """The groups of rows in the release's order.

    parts: of the P pairs' real images and of those generated in the look of each modality, whose rows all show
    identities `labels` (P,); and of negatives, further identities, if there are any.

    original: real images and negatives. released: also generated images, and real with generated codes of one modality.
    paper: every prototype with every style of the same person.
    """
    real, generated, negatives = parts["real"], parts.get("generated", {}), parts.get("negatives", {})
    sources = [(of_kind[m], m) for of_kind in (real, generated) for m in MODALITIES if m in of_kind]
    groups = [Group(*source, labels, m) for source, m in sources]
    groups += [Group(*negatives[m], negative_labels[m], None) for m in MODALITIES if m in negatives]
    if form == "released":
        for m in MODALITIES:
            groups.append(Group(real[m].prototype, generated[m].style, labels, m))
            groups.append(Group(generated[m].prototype, real[m].style, labels, m))
    if form == "paper":
        for (one, m), (another, _) in permutations(sources, 2):
            groups.append(Group(one.prototype, another.style, labels, m))
    return groups


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
