"""One iteration of an embedding network: pictures of both modalities in one pass, the identity losses, one optimiser.

Batch norm's groups hold pictures of both modalities: rows stand group by group, visible before infrared ones, and so
on several devices as on one. Of several devices each computes maps of its own pictures, and head and losses of all.
"""

from typing import Any

from keras import ops

from hicmd_tf.embedding.networks import EmbeddingNetworks, Identified, ResNetPart
from hicmd_tf.method.augmentation import changed, cut
from hicmd_tf.method.generation import Terms
from hicmd_tf.method.losses.identification import Triplets, cosine_batch_hard, cross_entropy, euclidean_batch_hard
from hicmd_tf.method.method import MethodOf
from hicmd_tf.method.networks.norms import KindGroups
from hicmd_tf.method.schedule import with_total
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality, Tensor

Method = MethodOf[EmbeddingNetworks]

LOGGED = ("accuracy", "active_triplets", "cross_entropy", "feature_total", "triplet")
"""Names of what an iteration returns."""


def iteration(method: Method, batch: dict[str, Any]) -> Terms:
    """Pictures -> pooled maps -> neck -> logits, and one step. Returns the named, unweighted losses and figures."""
    engine = method.engine
    assert engine is not None
    batch = cut(batch)
    labels = by_groups({m: batch[f"{m}_identities"] for m in MODALITIES}, method.config.batch.norm_groups)

    def identification() -> tuple[Tensor, Terms]:
        found = identify(method, batch)
        triplets = _triplets(method, found.pooled, labels)
        hits = ops.equal(ops.argmax(found.logits, axis=-1), ops.cast(labels, "int32"))
        terms = {"cross_entropy": cross_entropy(found.logits, labels), "triplet": triplets.loss}
        total, terms = with_total(method, "feature", terms, engine.replicas)
        figures = {"accuracy": ops.mean(ops.cast(hits, "float32")), "active_triplets": triplets.active}
        return total, {**terms, **figures}

    found = engine.value_and_grad(identification, ["features"])
    engine.apply("features", found.of_parts["features"])
    return found.aux


def identify(method: Method, batch: dict[str, Any]) -> Identified:
    """The head's results for the augmented pictures of all replicas, in training."""
    backbone, engine = method.networks.backbone, method.engine
    assert engine is not None
    groups = method.config.batch.norm_groups // engine.replicas
    x = {m: backbone.seen(changed(batch[m], m, batch), m) for m in MODALITIES}
    sizes = {m: ops.shape(x[m])[0] for m in MODALITIES}

    def front(chain: ResNetPart, pictures: Tensor, rows: int) -> Tensor:
        return chain(pictures, training=True, groups=KindGroups((rows,), groups))

    if len(backbone.fronts) > 1:
        maps = by_groups({m: front(backbone.front(m), x[m], sizes[m]) for m in MODALITIES}, groups)
    else:
        maps = front(backbone.fronts[0], by_groups(x, groups), sum(sizes.values()))
    pooled = backbone.pooled(maps, training=True, groups=KindGroups((sum(sizes.values()),), groups))
    # Optimisers add up the replicas' gradients: of the head each has those of all rows, of maps those of its own. So
    # the loss counts by the replicas' number, and maps as often again.
    pooled = pooled + (engine.replicas - 1) * (pooled - ops.stop_gradient(pooled))
    (of_all,) = engine.gather([pooled])  # (N, B, D)
    return method.networks.head(ops.reshape(of_all, (-1, backbone.length)), training=True)


def by_groups(rows: dict[Modality, Tensor], groups: int) -> Tensor:
    """Rows of both modalities, (V, ..) and (I, ..), as (V + I, ..): group by group, visible ones before infrared."""
    apart = [ops.reshape(rows[m], (groups, -1, *ops.shape(rows[m])[1:])) for m in (VISIBLE, INFRARED)]
    together = ops.concatenate(apart, axis=1)
    return ops.reshape(together, (-1, *ops.shape(together)[2:]))


def _triplets(method: Method, pooled: Tensor, labels: Tensor) -> Triplets:
    """Batch-hard, of pooled maps, in the configured form."""
    losses, margin = method.config.losses, method.number("margin")
    if losses.triplet_form == "euclidean":
        return euclidean_batch_hard(pooled, labels, margin)
    everyone = range(ops.shape(pooled)[0])
    return cosine_batch_hard(pooled, labels, margin, losses.triplet_regulariser, [everyone])
