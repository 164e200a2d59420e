"""Where the descriptor looks: maps of both encoders, weighted by the gradient of a likeness (as Grad-CAM does)."""

from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops
from PIL import Image

from hicmd_tf.config.kinds import EMBEDDING, HICMD
from hicmd_tf.data.pictures import normalise
from hicmd_tf.embedding.networks import EmbeddingNetworks
from hicmd_tf.errors import UserError, counted
from hicmd_tf.method.networks.build import Networks
from hicmd_tf.method.networks.feature_learning import l2_normalise
from hicmd_tf.method.networks.layers import run_chain
from hicmd_tf.notation import MODALITIES, Modality, other
from hicmd_tf.pictures.decode import as_png
from hicmd_tf.pictures.sheet import Cell, sheet
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.visualize.figure import Figure

Array = np.ndarray[Any, Any]

PEOPLE = 4  # of either modality
LEAST_ROWS = 6  # of a map that still says where
LOOKED_AT = {
    HICMD: "the prototype, and a late map of the attribute encoder, raise",
    EMBEDDING: "a late map of the network raises",
}
STRENGTH = 0.6  # of the colours over the picture where a map is highest


def attention_maps(networks: Networks, x: Array, modality: Modality, targets: Array) -> tuple[Array, Array]:
    """Maps (B, h, w) of E^p and of E^a, 0 to 1: pictures x (B, H, W, 3) uint8, and descriptors (B, E) to be like.

    With s the cosine of picture and target and A_k channel k of the prototype, or of E^a's map: the result is
    max(0, sum_k w_k A_k), w_k the mean of ds/dA_k over the map (Selvaraju et al. 2017), divided by its largest value.
    E^a's map is its last with `LEAST_ROWS` rows.
    """
    encoders, descriptor = networks.generator.encoders(modality), networks.descriptor()
    pictures = tf.constant(normalise(x))
    attribute = encoders.attribute
    with tf.GradientTape() as tape:
        prototype = encoders.prototype(pictures)  # (B, H/4, W/4, C)
        maps = [attribute.stem(pictures)]
        for stage in attribute.stages:  # (B, H/4, W/4, ..) to (B, H/32, W/32, ..)
            maps.append(stage(maps[-1]))
        chosen = next((found for found in reversed(maps[1:]) if found.shape[1] >= LEAST_ROWS), maps[1])
        tape.watch([prototype, chosen])
        style = networks.layout.style_of(ops.mean(maps[-1], axis=(1, 2)))
        likeness = tf.reduce_sum(descriptor.of_codes(prototype, style) * targets)  # of each picture apart
    gradients = tape.gradient(likeness, [prototype, chosen])
    of_prototype, of_attributes = (_weighted(*pair) for pair in zip((prototype, chosen), gradients, strict=True))
    return of_prototype, of_attributes


def backbone_maps(networks: EmbeddingNetworks, x: Array, modality: Modality, targets: Array) -> Array:
    """The same (B, h, w) of an embedding network's last map with `LEAST_ROWS` rows; of the picture, not its mirror."""
    backbone, head = networks.backbone, networks.head
    front, trunk = backbone.front(modality), backbone.trunk
    layers = [*front.layers, *(trunk.layers if trunk is not None else [])]
    maps = [backbone.seen(tf.constant(normalise(x)), modality)]
    for layer in layers:
        maps.append(layer(maps[-1]))
    place = next((i for i in reversed(range(2, len(maps))) if maps[i].shape[1] >= LEAST_ROWS), 2)
    with tf.GradientTape() as tape:
        tape.watch(maps[place])
        last = run_chain(layers[place:], maps[place])
        found = l2_normalise(head.described(backbone.pool(last)))
        likeness = tf.reduce_sum(found * targets)
    return _weighted(maps[place], tape.gradient(likeness, maps[place]))


def _weighted(activations: Any, gradients: Any) -> Array:
    weights = np.mean(gradients, axis=(1, 2), keepdims=True)  # (B, 1, 1, C)
    found = np.maximum((weights * np.asarray(activations)).sum(axis=-1), 0)
    return found / np.maximum(found.max(axis=(1, 2), keepdims=True), 1e-12)


def attention(run: OpenedRun, seed: int) -> list[Figure]:
    """Maps of some people of both modalities, for their likeness to a picture of themselves in the other one."""
    run = run.known
    people = np.random.default_rng(seed).permutation(run.samples.shared())[:PEOPLE]
    if not len(people):
        raise UserError(f"{run.folder.path}: nobody is there in both modalities, so nothing can be compared")
    firsts = {
        m: [next(r for r in run.rows(m) if run.samples.identities[r] == one) for one in people] for m in MODALITIES
    }
    rows = [row for m in MODALITIES for row in _rows(run, m, firsts)]
    maps = ("prototype", "attributes") if run.config.method == HICMD else ("map",)
    head = [Cell(lines=[word]) for word in ("picture", *maps, "compared")]
    gap = Cell(lines=["      "])
    half = len(rows) // 2
    beside = [[*left, gap, *right] for left, right in zip(rows[:half], rows[half:], strict=True)]
    return [
        Figure(
            "attention",
            "Where the descriptor looks",
            f"For a picture and one of the same person in the other modality: where {LOOKED_AT[run.config.method]} "
            "the likeness of their descriptors, by the gradient (Grad-CAM). Yellow is most. The maps have few cells "
            "and are drawn smoothly.",
            f"{counted(len(rows), 'person')}, each with {' and '.join(maps)} laid over the picture, and the picture "
            "that it is compared with.",
            as_png(sheet([[*head, gap, *head], *beside])),
        )
    ]


def _rows(run: OpenedRun, modality: Modality, firsts: dict[Modality, list[int]]) -> list[list[Cell]]:
    """Pictures of one modality, each with its maps and the same person's picture of the other one."""
    pictures, compared = (run.pictures(np.array(firsts[m])) for m in (modality, other(modality)))
    targets, networks = run.descriptors[firsts[other(modality)]], run.model.any_networks
    if isinstance(networks, EmbeddingNetworks):
        maps: tuple[Array, ...] = (backbone_maps(networks, pictures, modality, targets),)
    else:
        maps = attention_maps(networks, pictures, modality, targets)
    return [
        [Cell(x), *(Cell(overlaid(x, one)) for one in of_x), Cell(y)]
        for x, y, *of_x in zip(pictures, compared, *maps, strict=True)
    ]


def overlaid(picture: Array, attention_map: Array) -> Array:
    """A map (h, w) of 0 to 1 in colours over a picture uint8 (H, W, 3), which is grey beneath."""
    import matplotlib

    height, width, _ = picture.shape
    enlarged = Image.fromarray((255 * attention_map).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    heat = np.asarray(enlarged, np.float32)[..., None] / 255
    colours = 255 * matplotlib.colormaps["plasma"](heat[..., 0])[..., :3]
    grey = picture.mean(axis=-1, keepdims=True)
    mixed = (1 - STRENGTH * heat) * grey + STRENGTH * heat * colours
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)
