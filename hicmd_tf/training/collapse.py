"""Signs of a training that learns nothing, each warned of once while there is time to stop it."""

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hicmd_tf.config.kinds import EMBEDDING, HICMD
from hicmd_tf.files import read_json, write_json
from hicmd_tf.training.callbacks import Logs
from hicmd_tf.training.logs import Means

ALPHA_BOUND = 0.001  # so near to 0 or 1 one part of the descriptor counts for nothing
DEAD = 0.005  # share of active triplets below which their loss teaches nothing
CHANCE = 0.99  # of the cross-entropy of guessing: above it identities are not distinguished
PATIENCE = 4  # spans after which a loss at chance is none that only begins
BATCHES = {HICMD: "batch.pairs, batch.negatives", EMBEDDING: "embedding.people"}
RATES = {HICMD: "optimisers.feature_rate or optimisers.generator_rate", EMBEDDING: "embedding.rate"}
SURE = {"least_squares": (0.1, 0.9), "log": (-3.0, 3.0)}  # scores of a discriminator that is right by far: fake, real


def signs(means: Logs, model: Any, spans: int) -> Iterator[tuple[str, str]]:
    """Signs in the means of everything logged over a span of steps, each with its warning. spans: how many so far."""
    yield from _of_generation(means, model) if "fake_score" in means else ()
    if (
        model.settings.losses.triplet and means["active_triplets"] < DEAD
    ):  # no hardest triplet violates the margin (Eq. 9)
        yield (
            "dead triplets",
            f"{means['active_triplets']:.1%} of the triplets violate the margin: their loss teaches nothing; raise "
            f"losses.margin, or see more people in a batch ({BATCHES[model.settings.method]})",
        )
    classes = model.networks.classes
    loss, guessing = means["cross_entropy"], math.log(classes)
    if spans >= PATIENCE and loss >= CHANCE * guessing:  # Eq. 8
        yield (
            "loss at chance",
            f"cross_entropy is {loss:.3g}, and {guessing:.3g} is guessing among {classes} identities; "
            f"look at the labels, and change {RATES[model.settings.method]}",
        )


def _of_generation(means: Logs, model: Any) -> Iterator[tuple[str, str]]:
    """Signs in what only Hi-CMD logs."""
    fake, real = means["fake_score"], means["real_score"]
    low, high = SURE[model.settings.losses.adversarial_form]
    if fake <= low and real >= high:  # both discriminators, about everything (row 3: scores, or logits in the log form)
        yield (
            "discriminator wins",
            f"the discriminators are never wrong (mean score {real:.3g} for real pictures, {fake:.3g} for generated "
            f"ones), and G learns nothing from them: lower optimisers.discriminator_rate or raise "
            f"losses.gradient_penalty",
        )
    alpha = means["alpha"]
    if not ALPHA_BOUND < alpha < 1 - ALPHA_BOUND:  # one part of [alpha p^d; (1 - alpha) a^s] has no weight
        alone, lost = ("style", "prototype") if alpha < 0.5 else ("prototype", "style")
        yield (
            "alpha at a bound",
            f"alpha is {alpha:.4g}: the descriptor is of the {alone} alone, and the {lost} teaches nothing; begin with "
            f"another networks.feature_learning.alpha or lower optimisers.alpha_rate",
        )


class Collapse(Means):
    """Looks at the mean of every `every` iterations, and warns of each of the `signs` once in a run.

    told: a file of what was warned of, by sign, with the step. A resumed run forgets what it comes to again.
    """

    def __init__(self, start: int, every: int, told: Path) -> None:
        super().__init__(start, every)
        self.file = told
        before = read_json(told) if told.is_file() else {}
        self.told = {sign: warned for sign, warned in before.items() if warned["step"] <= start}
        if before:
            write_json(told, self.told)

    def on_means(self, step: int, means: Logs) -> None:
        for sign, warning in signs(means, self.model, step // self.every):
            if sign not in self.told:
                self.told[sign] = {"step": step, "warning": f"steps {step - self.count + 1} to {step}: {warning}"}
                warnings.warn(self.told[sign]["warning"], stacklevel=1)
                write_json(self.file, self.told)
