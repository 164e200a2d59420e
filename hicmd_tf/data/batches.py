"""The pictures of one iteration: identity pairs across modalities and unpaired negatives (row 5).

A batch is a pure function of seed and step, so that a resumed run goes on with the same data without storing anything.
`BatchPlanner` decides which pictures, and how each is changed; `Pixels` has the pictures; `batches` puts both together,
ahead. All in NumPy, for every engine.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.config.schema import BatchConfig
from hicmd_tf.data import augmentation
from hicmd_tf.data.pictures import decoded, normalise, picture, pictures
from hicmd_tf.data.samples import Samples, ahead
from hicmd_tf.errors import UserError, counted
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality

Array = np.ndarray[Any, Any]
Batch = dict[str, Any]

MEMORY_LIMIT = 2**30  # bytes of decoded pictures kept in memory; larger data sets are decoded batch by batch
AHEAD = 4  # batches that are made before they are asked for
SMALLEST_AREA, LARGEST_AREA = 0.02, 0.4  # of the picture, that a random erasing box has
LOWEST_ASPECT = 0.3  # its height / width, up to the inverse
TRIES = 100
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

UNCHANGED, RED, GREEN, BLUE, GREY = range(5)
"""What a picture shows in all its channels, by `with_channels`."""
REAL = ("visible", "infrared", "visible_negatives", "infrared_negatives")
GENERATED = ("generated_visible", "generated_infrared")
DETAILS = ("erasing", "shifts", "channels")
"""What a batch says of single pictures, each by the pictures' name, for the training step to do."""


class Plan(NamedTuple):
    """One iteration's choices.

    rows: by name in `REAL`, rows of the samples, (P,) or (N,); visible and infrared show the same people row by row.
    labels: by name, class indices (P,) or (N,) int32.
    flips: by name, bool (P,) or (N,). erasing: by name in `REAL` and `GENERATED`, boxes (P or N, 4) int32.
    details: what else is done to each picture, by kind and name: brightness (P or N, 2) and blur (P or N,) as
    `augmentation` has them, shifts (P or N, 2) int32, pixels down and right, channels (P or N,) int32, of HFL's inputs
    those of visible looks; each where it is configured.
    """

    rows: dict[str, Array]
    labels: dict[str, Array]
    flips: dict[str, Array]
    erasing: dict[str, Array]
    details: dict[str, dict[str, Array]] = {}  # noqa: RUF012 (never changed)

    def part(self, share: Share) -> dict[str, dict[str, Array]]:
        """All but the labels of a share of the pictures, by kind and name."""
        whole = {"rows": self.rows, "flips": self.flips, "erasing": self.erasing, **self.details}
        return {
            kind: {name: values[share.span(len(values))] for name, values in of.items()} for kind, of in whole.items()
        }


def fitting(people: int, pairs: int, negatives: int) -> tuple[int, int]:
    """The largest batch for so many training people, who are different in it, of at most these pairs and negatives."""
    pairs = min(pairs, people)
    return pairs, min(negatives, (people - pairs) // 2)


def refuse_few(people: int, config: BatchConfig) -> None:
    """Raises UserError where a batch needs more identities than so many that train."""
    needed = config.pairs + 2 * config.negatives
    if people < needed:
        pairs, negatives = fitting(people, config.pairs, config.negatives)
        raise UserError(
            f"a batch of {config.pairs} pairs and 2 x {config.negatives} negatives needs {needed} training "
            f"identities, there are {people}: give --batch.pairs {pairs} --batch.negatives {negatives}, "
            f"or take more identities"
        )


class Planner(ABC):
    """What planners have in common: training pictures by identity and modality.

    classes: identities, ascending. labels: of each picture, its identity's number among them. pictures: by modality and
    label, rows. Raises UserError when an identity is missing in a modality.
    """

    def __init__(self, samples: Samples, config: BatchConfig, height: int, width: int, seed: int) -> None:
        self.config, self.height, self.width, self.seed = config, height, width, seed
        self.classes = np.unique(samples.identities)
        self.labels = np.searchsorted(self.classes, samples.identities).astype(np.int32)
        self.infrared = samples.infrared
        self._refuse_few()
        self.pictures = {m: self._by_class(m) for m in MODALITIES}

    @abstractmethod
    def plan(self, step: int) -> Plan:
        """The choices of iteration `step`, counted from 0."""

    @abstractmethod
    def identities(self, plan: Plan) -> dict[str, Array]:
        """Class indices of a whole batch, by their names in it."""

    @abstractmethod
    def _refuse_few(self) -> None:
        """Raises UserError when there are too few identities for a batch."""

    @property
    def repaints(self) -> bool:
        """Whether `Pixels` has to change the pictures, so that they differ from one time to the next."""
        return self.config.brightness > 0 or self.config.blur > 0

    def changes(self, rng: np.random.Generator, counts: dict[str, int]) -> dict[str, dict[str, Array]]:
        """`Plan.details` that both methods have, for so many pictures by name. What is off draws nothing."""
        config, found = self.config, {}

        def each(draw: Callable[[int], Array]) -> dict[str, Array]:
            return {name: draw(count) for name, count in counts.items()}

        if config.pad:
            found["shifts"] = each(lambda n: rng.integers(-config.pad, config.pad, (n, 2), np.int32, endpoint=True))
        if config.brightness:
            found["brightness"] = each(lambda n: augmentation.drawn_brightness(rng, n, config.brightness))
        if config.blur:
            found["blur"] = each(lambda n: augmentation.drawn_blur(rng, n, self.height, config.blur))
        return found

    def _by_class(self, modality: Modality) -> list[Array]:
        rows = np.flatnonzero(self.infrared == (modality == INFRARED))
        of_class = [rows[self.labels[rows] == label] for label in range(len(self.classes))]
        lonely = [self.classes[label] for label, found in enumerate(of_class) if not len(found)]
        if lonely:
            raise UserError(
                f"identity {lonely[0]} has no {modality} picture ({counted(len(lonely), 'such identity')}): training "
                f"needs both modalities of everyone, add the pictures or take the identity out"
            )
        return of_class


class BatchPlanner(Planner):
    """Plans iterations over the pictures of the training identities.

    The first pair holds the next picture of a shuffled pass over all pictures, with a random one of the same identity
    in the other modality. The other pairs are random, then come negatives of further identities. No identity comes
    twice.

    Raises UserError when there are too few identities, or one is missing in a modality.
    """

    def __init__(self, samples: Samples, config: BatchConfig, height: int, width: int, seed: int) -> None:
        super().__init__(samples, config, height, width, seed)
        self._pass: tuple[int, Array] = (-1, np.empty(0, np.int64))

    def _refuse_few(self) -> None:
        refuse_few(len(self.classes), self.config)

    def identities(self, plan: Plan) -> dict[str, Array]:
        """`identities` of the pairs, `visible_negative_identities`, `infrared_negative_identities`."""
        negatives = {f"{m}_negative_identities": plan.labels[f"{m}_negatives"] for m in MODALITIES}
        return {"identities": plan.labels["visible"], **negatives}

    def indexed_row(self, step: int) -> int:
        """The row that a shuffled pass over all pictures has come to."""
        number, position = divmod(step, len(self.labels))
        kept, order = self._pass  # of another thread's step it may be another pass
        if kept != number:
            order = np.random.default_rng([self.seed, PASS_STREAM, number]).permutation(len(self.labels))
            self._pass = number, order
        return int(order[position])

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
        rows = {
            name: np.array([rng.choice(self.pictures[_modality(name)][label]) for label in of[name]], np.int64)
            for name in REAL
        }
        rows["infrared" if self.infrared[first] else "visible"][0] = first
        flips = {name: rng.random(len(rows[name])) < self.config.flip for name in REAL}
        counts = {name: len(rows[name]) for name in REAL}
        size_and_share = self.height, self.width, self.config.erasing
        erased = counts | dict.fromkeys(GENERATED, pairs)
        erasing = {name: erasing_boxes(rng, count, *size_and_share) for name, count in erased.items()}
        details = self.changes(rng, counts)
        if share := self.config.channel_exchange:
            visible = {name: count for name, count in erased.items() if _modality(name) == VISIBLE}
            details["channels"] = {name: exchanged_channels(rng, count, share) for name, count in visible.items()}
        return Plan(rows, of, flips, erasing, details)


def erasing_boxes(rng: np.random.Generator, count: int, height: int, width: int, probability: float) -> Array:
    """Random erasing (row 9): a box for each of `count` pictures, (count, 4) int32 of top, left, height,
    width; height 0 says not erased. The training step applies them, to HFL's inputs only."""
    chosen = rng.random(count) < probability
    return np.array([_box(rng, height, width) if erased else (0, 0, 0, 0) for erased in chosen], np.int32).reshape(
        -1, 4
    )


def exchanged_channels(rng: np.random.Generator, count: int, probability: float) -> Array:
    """What each of `count` visible pictures shows in all its channels, (count,) int32: with a probability red, green,
    blue or grey, each as likely (channel exchange, Ye et al. 2021), otherwise what it has."""
    seen = rng.choice((RED, GREEN, BLUE, GREY), count)
    return np.where(rng.random(count) < probability, seen, UNCHANGED).astype(np.int32)


def _box(rng: np.random.Generator, height: int, width: int) -> tuple[int, int, int, int]:
    """A box strictly smaller than the picture both ways; none when all tries are too large."""
    for _ in range(TRIES):
        area = rng.uniform(SMALLEST_AREA, LARGEST_AREA) * height * width
        aspect = rng.uniform(LOWEST_ASPECT, 1 / LOWEST_ASPECT)
        h, w = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if h < height and w < width:
            return int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1)), h, w
    return 0, 0, 0, 0


def _modality(name: str) -> Modality:
    return VISIBLE if VISIBLE in name.split("_") else INFRARED


class Pixels:
    """The samples' pictures by row, in one size.

    kept: all of them, decoded, uint8 (N, H, W, 3); None where they are more than `MEMORY_LIMIT`.
    """

    def __init__(self, samples: Samples, height: int, width: int) -> None:
        """Raises UserError for a picture that can't be read any more."""
        self._picture = partial(picture, samples, height=height, width=width)
        fits = len(samples) * height * width * 3 <= MEMORY_LIMIT
        self.kept = decoded(samples, height, width) if fits else None

    def fetch(self, rows: Array) -> Array:
        """New pictures uint8 (R, H, W, 3) of rows (R,). Raises UserError as above."""
        if self.kept is None:
            return np.stack([self._picture(row) for row in rows.tolist()])
        return self.kept[rows]

    def shown(self, part: dict[str, dict[str, Array]]) -> Array:
        """New pictures (R, H, W, 3) of part of a `Plan`, in the order of its rows, with their brightness and blur, not
        flipped. Raises UserError as above."""
        found = self.fetch(np.concatenate([*part["rows"].values()]))
        for kind, change in (("brightness", augmentation.brighten), ("blur", augmentation.blur)):
            if kind in part:
                change(found, np.concatenate([part[kind][name] for name in part["rows"]]))
        return found


def batches(planner: Planner, samples: Samples, start: int, stop: int, share: Share = WHOLE) -> Iterator[Batch]:
    """Iterations start .. stop - 1 of the planner's samples, decoded, brighter or darker, blurred and flipped, read
    ahead in parallel.

    Each is a dictionary of arrays of the planner's pictures, or a share of them; class indices are always those of the
    whole batch. Of `BatchPlanner`, with P pairs and N negatives per modality (N may be 0): `visible`, `infrared` (P, H,
    W, 3) float32 normalised; `visible_negatives`, `infrared_negatives` (N, H, W, 3); `identities` (P,) int32;
    `visible_negative_identities`, `infrared_negative_identities` (N,); `erasing`, boxes (P or N, 4) by name of
    pictures, real or generated; `step` () int64. Of `identity_batches.IdentityPlanner`: `visible` (V, H, W, 3),
    `infrared` (I, H, W, 3), `visible_identities`, `infrared_identities` and `erasing`. Of both, where it is configured,
    `shifts` and `channels` by name of pictures.

    Raises UserError for a picture that can't be read any more.
    """
    pixels = Pixels(samples, planner.height, planner.width)

    def assemble(step: int) -> Batch:
        plan = planner.plan(step)
        part = plan.part(share)
        rows, shown = part["rows"], pixels.shown(part)
        flipped = np.concatenate([*part["flips"].values()])
        shown[flipped] = shown[flipped, :, ::-1]
        ends = np.cumsum([len(of) for of in rows.values()])[:-1]
        return {
            **dict(zip(rows, np.split(normalise(shown), ends), strict=True)),
            **planner.identities(plan),
            **{kind: part[kind] for kind in DETAILS if kind in part},
            "step": np.int64(step),
        }

    return ahead(assemble, range(start, stop), AHEAD)


def divided(batch: Batch, among: int) -> tuple[Batch, ...]:
    """A batch, or a worker's share of one, as the shares of its devices."""

    def part(share: Share) -> Batch:
        def own(arrays: Batch, names: Iterable[str]) -> Batch:
            return {name: arrays[name][share.span(len(arrays[name]))] for name in names}

        details = {kind: own(batch[kind], batch[kind]) for kind in DETAILS if kind in batch}
        return {**batch, **own(batch, [name for name in REAL if name in batch]), **details}

    return tuple(part(Share(number, among)) for number in range(among))


def evaluation_batches(samples: Samples, height: int, width: int, batch: int) -> Iterator[Array]:
    """All pictures in order, normalised (b, H, W, 3) float32; the last batch may be smaller. Raises UserError for a
    picture that can't be read any more."""
    found = pictures(samples, height, width)
    while part := list(islice(found, batch)):
        yield normalise(np.stack(part))
