"""What one iteration sees: identity pairs across modalities and unpaired negatives (method 2.1).

A batch is a pure function of seed and step, so that a resumed run goes on with the same data without storing anything.
`BatchPlanner` decides, in NumPy, which pictures, flips and erasing boxes; `batches` fetches the pixels with tf.data.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from hicmd_tf.config.schema import BatchConfig
from hicmd_tf.data.augment import erasing_boxes
from hicmd_tf.data.pictures import decode, normalise
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality

Array = np.ndarray[Any, Any]

MEMORY_LIMIT = 2**30  # bytes of decoded pictures kept in memory; larger data sets are decoded batch by batch
PASS_STREAM, STEP_STREAM = 0, 1  # keep the random streams of passes and of steps apart


class Share(NamedTuple):
    """The pictures of one of several workers, or devices, that share out a batch: equal spans of every kind."""

    number: int
    of: int

    def span(self, rows: int) -> slice:
        """Its part of so many rows. Their number must divide."""
        own = rows // self.of
        return slice(self.number * own, (self.number + 1) * own)


WHOLE = Share(0, 1)

REAL = ("visible", "infrared", "visible_negatives", "infrared_negatives")
GENERATED = ("generated_visible", "generated_infrared")


class Plan(NamedTuple):
    """One iteration's choices.

    rows: by name in `REAL`, rows of the samples, (P,) or (N,); visible and infrared show the same people row by row.
    labels: by name, class indices (P,) or (N,) int32.
    flips: by name, bool (P,) or (N,). erasing: by name in `REAL` and `GENERATED`, boxes (P or N, 4) int32.
    """

    rows: dict[str, Array]
    labels: dict[str, Array]
    flips: dict[str, Array]
    erasing: dict[str, Array]


class BatchPlanner:
    """Plans iterations over the pictures of the training identities.

    The first pair holds the next picture of a shuffled pass over all pictures, with a random one of the same identity
    in the other modality. The other pairs are random, then come negatives of further identities. No identity comes
    twice.

    Raises UserError when there are too few identities, or one is missing in a modality.
    """

    def __init__(self, samples: Samples, config: BatchConfig, height: int, width: int, seed: int) -> None:
        self.config, self.height, self.width, self.seed = config, height, width, seed
        self.classes = np.unique(samples.identities)
        self.labels = np.searchsorted(self.classes, samples.identities).astype(np.int32)
        self.infrared = samples.infrared
        needed = config.pairs + 2 * config.negatives
        if len(self.classes) < needed:
            raise UserError(
                f"a batch of {config.pairs} pairs and 2 x {config.negatives} negatives needs {needed} training "
                f"identities, there are {len(self.classes)}: lower batch.pairs or batch.negatives, or take more "
                f"identities"
            )
        self.pictures = {m: self._by_class(m) for m in MODALITIES}
        self._pass: tuple[int, Array] = (-1, np.empty(0, np.int64))

    def _by_class(self, modality: Modality) -> list[Array]:
        rows = np.flatnonzero(self.infrared == (modality == INFRARED))
        of_class = [rows[self.labels[rows] == label] for label in range(len(self.classes))]
        lonely = [self.classes[label] for label, found in enumerate(of_class) if not len(found)]
        if lonely:
            raise UserError(
                f"identity {lonely[0]} has no {modality} picture ({len(lonely)} such identities): training needs both "
                f"modalities of everyone, add the pictures or take the identity out"
            )
        return of_class

    def indexed_row(self, step: int) -> int:
        """The row that a shuffled pass over all pictures has come to."""
        number, position = divmod(step, len(self.labels))
        if self._pass[0] != number:
            order = np.random.default_rng([self.seed, PASS_STREAM, number]).permutation(len(self.labels))
            self._pass = number, order
        return int(self._pass[1][position])

    def plan(self, step: int) -> Plan:
        """The choices of iteration `step`, counted from 0."""
        rng = np.random.default_rng([self.seed, STEP_STREAM, step])
        pairs, negatives = self.config.pairs, self.config.negatives
        first = self.indexed_row(step)
        others = rng.choice(len(self.classes) - 1, pairs - 1 + 2 * negatives, replace=False)
        others += others >= self.labels[first]  # every label but the first one's
        labels = np.concatenate([self.labels[[first]], others]).astype(np.int32)
        of = {
            "visible": labels[:pairs],
            "infrared": labels[:pairs],
            "visible_negatives": labels[pairs : pairs + negatives],
            "infrared_negatives": labels[pairs + negatives :],
        }
        rows = {name: self._draw(rng, _modality(name), of[name]) for name in REAL}
        rows["infrared" if self.infrared[first] else "visible"][0] = first
        flips = {name: rng.random(len(rows[name])) < self.config.flip for name in REAL}
        counts = {**{name: len(rows[name]) for name in REAL}, **dict.fromkeys(GENERATED, pairs)}
        erasing = {
            name: erasing_boxes(rng, count, self.height, self.width, self.config.erasing)
            for name, count in counts.items()
        }
        return Plan(rows, of, flips, erasing)

    def _draw(self, rng: np.random.Generator, modality: Modality, labels: Array) -> Array:
        return np.array([rng.choice(self.pictures[modality][label]) for label in labels], np.int64)


def _modality(name: str) -> Modality:
    return VISIBLE if name.startswith("visible") else INFRARED


def batches(planner: BatchPlanner, samples: Samples, start: int, stop: int, share: Share = WHOLE) -> tf.data.Dataset:
    """Iterations start .. stop - 1 of the planner's samples, decoded and flipped, read ahead in parallel.

    Each is a dictionary with P pairs and N negatives a modality (N may be 0), or the share of their pictures and boxes;
    class indices are always those of the whole batch:
    `visible`, `infrared` (P, H, W, 3) float32 normalised; `identities` (P,) int32 class indices; `visible_negatives`,
    `infrared_negatives` (N, H, W, 3); `visible_negative_identities`, `infrared_negative_identities` (N,); `erasing`,
    boxes (P or N, 4) by name of pictures, real or generated; `step` ().
    """
    fetch = _fetcher(samples, planner.height, planner.width)
    whole = {
        name: planner.config.negatives if "negatives" in name else planner.config.pairs for name in REAL + GENERATED
    }
    counts = {name: count // share.of for name, count in whole.items()}

    def choose(step: tf.Tensor) -> list[Array]:
        plan = planner.plan(int(step))

        def own(choices: dict[str, Array], names: Sequence[str]) -> Array:
            return np.concatenate([choices[name][share.span(whole[name])] for name in names])

        labels = np.concatenate([plan.labels[name] for name in REAL])
        return [own(plan.rows, REAL), own(plan.flips, REAL), labels, own(plan.erasing, REAL + GENERATED)]

    def assemble(step: tf.Tensor) -> dict[str, Any]:
        rows, flips, labels, boxes = tf.numpy_function(choose, [step], [tf.int64, tf.bool, tf.int32, tf.int32])
        total = sum(counts[name] for name in REAL)
        pictures = fetch(tf.ensure_shape(rows, (total,)))
        pictures = tf.where(tf.reshape(flips, (total, 1, 1, 1)), pictures[:, :, ::-1], pictures)
        parts = _cut(normalise(pictures), REAL, counts)
        of = _cut(tf.ensure_shape(labels, (sum(whole[name] for name in REAL),)), REAL, whole)
        return {
            **parts,
            "identities": of["visible"],
            **{f"{m}_negative_identities": of[f"{m}_negatives"] for m in MODALITIES},
            "erasing": _cut(tf.ensure_shape(boxes, (sum(counts.values()), 4)), REAL + GENERATED, counts),
            "step": step,
        }

    steps = tf.data.Dataset.range(start, stop)
    # One at a time: the plan is Python, and its pictures are decoded in parallel inside.
    return steps.map(assemble, num_parallel_calls=2, deterministic=True).prefetch(4)


def divided(batch: dict[str, Any], among: int) -> tuple[dict[str, Any], ...]:
    """A batch, or a worker's share of one, as the shares of its devices."""

    def part(share: Share) -> dict[str, Any]:
        def own(tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {name: tensor[share.span(tensor.shape[0])] for name, tensor in tensors.items()}

        return {**batch, **own({name: batch[name] for name in REAL}), "erasing": own(batch["erasing"])}

    return tuple(part(Share(number, among)) for number in range(among))


def _cut(tensor: tf.Tensor, names: Iterable[str], counts: dict[str, int]) -> dict[str, tf.Tensor]:
    """Rows of one tensor by name, with static shapes."""
    parts, start = {}, 0
    for name in names:
        parts[name] = tensor[start : start + counts[name]]
        start += counts[name]
    return parts


def _fetcher(samples: Samples, height: int, width: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from rows (R,) to pictures uint8 (R, H, W, 3): from memory when all decoded pictures fit."""
    encoded = tf.constant(list(samples.encoded), tf.string)
    if len(samples) * height * width * 3 > MEMORY_LIMIT:
        return lambda rows: _decode_all(tf.gather(encoded, rows), height, width)
    pictures = np.concatenate([x.numpy() for x in _decoded(samples, height, width, 256)])
    kept = tf.constant(pictures)
    return lambda rows: tf.gather(kept, rows)


def _decode_all(encoded: tf.Tensor, height: int, width: int) -> tf.Tensor:
    return tf.map_fn(
        lambda one: decode(one, height, width), encoded, parallel_iterations=16, fn_output_signature=tf.uint8
    )


def _decoded(samples: Samples, height: int, width: int, batch: int) -> tf.data.Dataset:
    """All pictures in order, uint8 (b, H, W, 3)."""
    encoded = tf.data.Dataset.from_tensor_slices(tf.constant(list(samples.encoded), tf.string))
    pictures = encoded.map(
        lambda one: decode(one, height, width), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    return pictures.batch(batch)


def evaluation_batches(samples: Samples, height: int, width: int, batch: int) -> tf.data.Dataset:
    """All pictures in order, normalised (b, H, W, 3); the last batch may be smaller."""
    return _decoded(samples, height, width, batch).map(normalise).prefetch(2)
