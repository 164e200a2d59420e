"""HFL, hierarchical feature learning: erased pictures to rows of the identity head, and the terms of Eq. 8 and 9
(Sec. 3.3, Figure 3). Of several replicas each encodes its own pictures, and computes head and losses of all rows.
"""

from typing import Any, NamedTuple

from keras import ops, tree

from hicmd_tf.method.augmentation import changed
from hicmd_tf.method.generation import AllCodes, Pictures, Terms, divided
from hicmd_tf.method.losses.identification import Triplets, cosine_batch_hard, cross_entropy, euclidean_batch_hard
from hicmd_tf.method.method import Method
from hicmd_tf.method.networks.feature_learning import Identification
from hicmd_tf.method.sampling import Kind, Parts, Rows, feature_groups, stack
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality

Place = tuple[Kind, Modality]

RELEASED_ORDER: tuple[Place, ...] = (
    ("real", VISIBLE),
    ("real", INFRARED),
    ("generated", INFRARED),
    ("generated", VISIBLE),
    ("negatives", VISIBLE),
    ("negatives", INFRARED),
)
"""In which H's running statistics take in the groups."""


class Identified(NamedTuple):
    """terms: unweighted. figures: what is logged beside them. rows, head: that they are computed of."""

    terms: Terms
    figures: Terms
    rows: Rows
    head: Identification


def identify(method: Method, batch: dict[str, Any], codes: dict[Kind, AllCodes]) -> Identified:
    """C: HFL of real, generated and negative pictures of all replicas. codes: of `inputs`."""
    parts = _gathered(method, weighted_parts(method, codes))
    negative_labels = {m: batch[f"{m}_negative_identities"] for m in MODALITIES}
    rows = stack(feature_groups(method.config.sampling.groups, parts, batch["identities"], negative_labels))
    head = method.networks.features.head(rows.combined, training=True)
    triplets = _triplets(method, rows, head)
    hits = ops.equal(ops.argmax(head.logits, axis=-1), ops.cast(rows.labels, "int32"))
    terms = {"cross_entropy": cross_entropy(head.logits, rows.labels), "triplet": triplets.loss}
    figures = {"accuracy": ops.mean(ops.cast(hits, "float32")), "active_triplets": triplets.active}
    return Identified(terms, figures, rows, head)


def inputs(method: Method, batch: dict[str, Any], generated: Pictures) -> dict[Kind, Pictures]:
    """Pictures by kind, erased and with other channels, in the order in which batch norm's running statistics take them
    in. generated: cross pictures, by look."""
    pictures: dict[Kind, Pictures] = {"real": {m: changed(batch[m], m, batch) for m in MODALITIES}}
    if method.config.sampling.groups != "original":
        pictures["generated"] = {m: changed(generated[m], f"generated_{m}", batch) for m in MODALITIES}
    if method.config.batch.negatives:
        names = {m: f"{m}_negatives" for m in MODALITIES}
        pictures["negatives"] = {m: changed(batch[names[m]], names[m], batch) for m in MODALITIES}
    return pictures


def weighted_parts(method: Method, codes: dict[Kind, AllCodes]) -> dict[Kind, dict[Modality, Parts]]:
    """Both parts of every picture's d_comb: alpha p^d by one pass through H, whose batch norm keeps the groups apart in
    the release's order, and (1 - alpha) a^s."""
    features, layout = method.networks.features, method.networks.layout
    order = [(kind, m) for kind, m in RELEASED_ORDER if kind in codes]
    groups = [codes[kind][m] for kind, m in order]
    sizes = [group.prototype.shape[0] for group in groups]
    prototypes, attributes = (ops.concatenate(of_all) for of_all in zip(*groups, strict=True))
    embedded = features.embedding(prototypes, training=True, groups=method.groups(sizes))
    weighted = (
        features.combination.prototype_part(embedded),
        features.combination.style_part(layout.style_of(attributes)),
    )
    found = dict(zip(order, zip(*(divided(part, sizes) for part in weighted), strict=True), strict=True))
    return {kind: {m: Parts(*found[kind, m]) for m in MODALITIES} for kind in codes}


def _gathered(method: Method, parts: dict[Kind, dict[Modality, Parts]]) -> dict[Kind, dict[Modality, Parts]]:
    """The parts of every replica's pictures, each kind's in the batch's order."""
    assert method.engine is not None
    if method.engine.replicas == 1:
        return parts
    gathered = method.engine.gather(tree.flatten(parts))  # (N, B, D) each
    return tree.pack_sequence_as(parts, [ops.reshape(of_all, (-1, *of_all.shape[2:])) for of_all in gathered])


def _triplets(method: Method, rows: Rows, head: Identification) -> Triplets:
    """Eq. 9 in the configured form."""
    losses, margin = method.config.losses, method.number("margin")
    if losses.triplet_form == "euclidean":
        return euclidean_batch_hard(getattr(head, method.networks.features.head.descriptor), rows.labels, margin)
    anchors = [rows.anchors[m] for m in MODALITIES]
    return cosine_batch_hard(head.triplet, rows.labels, margin, losses.triplet_regulariser, anchors)
