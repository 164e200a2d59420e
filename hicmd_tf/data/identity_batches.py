"""The pictures of one iteration of an embedding network: P people, K pictures of each in each modality, and how each
picture is changed. As `batches`, a pure function of seed and step.
"""

from typing import Any

import numpy as np

from hicmd_tf.config.schema import Config, EmbeddingConfig
from hicmd_tf.data.batches import BLUE, GREEN, GREY, RED, STEP_STREAM, UNCHANGED, Plan, Planner, erasing_boxes
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE

Array = np.ndarray[Any, Any]

EXCHANGED = {"exchange": (RED, GREEN, BLUE), "exchange_or_grey": (RED, GREEN, BLUE, GREY)}
"""What the second view of a visible picture has in all channels, each as likely, by `embedding.channels`."""


def refuse_few(people: int, sizes: EmbeddingConfig) -> None:
    """Raises UserError where a batch needs more identities than so many that train."""
    if people < sizes.people:
        raise UserError(
            f"a batch of {sizes.people} people needs as many training identities, there are {people}: give "
            f"--embedding.people {people}, or take more identities"
        )


class IdentityPlanner(Planner):
    """Plans iterations of P x K pictures of each modality (Hermans et al., 2017).

    The people of a batch differ; a person of fewer than K pictures of a modality has them again. With other channels
    (Ye et al., 2021, CAJ) a visible picture comes twice, next to its person's others: as it is, and changed.

    Raises UserError when there are too few identities, or one is missing in a modality.
    """

    def __init__(self, samples: Samples, config: Config) -> None:
        self.sizes = config.embedding
        super().__init__(samples, config.batch, config.data.height, config.data.width, config.seed)

    def _refuse_few(self) -> None:
        refuse_few(len(self.classes), self.sizes)

    def identities(self, plan: Plan) -> dict[str, Array]:
        """`visible_identities`, `infrared_identities`."""
        return {f"{m}_identities": plan.labels[m] for m in MODALITIES}

    def plan(self, step: int) -> Plan:
        """The choices of iteration `step`, counted from 0."""
        rng = np.random.default_rng([self.seed, STEP_STREAM, step])
        people = rng.choice(len(self.classes), self.sizes.people, replace=False)
        rows = {m: np.stack([self._some(rng, self.pictures[m][label]) for label in people]) for m in MODALITIES}
        labels = {m: np.repeat(people[:, None], self.sizes.pictures, 1) for m in MODALITIES}
        channels = {m: np.full(rows[m].shape, UNCHANGED) for m in MODALITIES}
        if self.sizes.channels != "none":
            seen = rng.choice(EXCHANGED[self.sizes.channels], rows[VISIBLE].shape)
            channels = {
                VISIBLE: np.concatenate([channels[VISIBLE], seen], 1),
                INFRARED: infrared_channels(rng, rows[INFRARED].shape),
            }
            rows[VISIBLE], labels[VISIBLE] = (np.tile(of[VISIBLE], (1, 2)) for of in (rows, labels))
        counts: dict[str, int] = {m: rows[m].size for m in MODALITIES}
        size_and_share = self.height, self.width, self.config.erasing
        return Plan(
            {m: rows[m].reshape(-1) for m in MODALITIES},
            {m: labels[m].reshape(-1).astype(np.int32) for m in MODALITIES},
            {m: rng.random(counts[m]) < self.config.flip for m in MODALITIES},
            {m: erasing_boxes(rng, counts[m], *size_and_share) for m in MODALITIES},
            {
                **self.changes(rng, counts),
                "channels": {m: channels[m].reshape(-1).astype(np.int32) for m in MODALITIES},
            },
        )

    def _some(self, rng: np.random.Generator, rows: Array) -> Array:
        """K of a person's rows, as different as may be."""
        often = -(-self.sizes.pictures // len(rows))
        return np.concatenate([rng.permutation(rows) for _ in range(often)])[: self.sizes.pictures]


def infrared_channels(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """What infrared pictures show: red, green or blue, one time in four each, else half grey, half as they are."""
    drawn = rng.choice((RED, GREEN, BLUE, GREY), shape)
    kept = (drawn == GREY) & (rng.random(shape) < 0.5)
    return np.where(kept, UNCHANGED, drawn)
