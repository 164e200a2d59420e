"""Signs of a training that learns nothing, told once each while there is time to stop it."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hicmd_tf.errors import UserError
from hicmd_tf.files import read_json, write_json
from hicmd_tf.training.callbacks import Logs, Means

ALPHA_BOUND = 0.001  # so near to 0 or 1 one part of the descriptor counts for nothing
DEAD = 0.005  # share of active triplets below which their loss teaches nothing
CHANCE = 0.99  # of the cross-entropy of guessing: above it nobody is told apart
PATIENCE = 4  # spans after which a loss at chance is none that only begins
SURE = {"least_squares": (0.1, 0.9), "log": (-3.0, 3.0)}  # scores of a discriminator that is right by far: fake, real


class Signs(NamedTuple):
    """What the signs are read from. means: of everything logged over a span of steps. first, last: the span. every: its
    length. classes: training identities. form: of the adversarial loss."""

    means: Logs
    first: int
    last: int
    every: int
    classes: int
    form: str


def discriminator_wins(signs: Signs) -> str | None:
    """Both discriminators are right by far about everything (row 3: scores, or logits in the log form)."""
    fake, real = signs.means["fake_score"], signs.means["real_score"]
    low, high = SURE[signs.form]
    if fake > low or real < high:
        return None
    return (
        f"the discriminators are never wrong (mean score {real:.3g} for real pictures, {fake:.3g} for generated ones), "
        f"and G learns nothing from them: lower optimisers.discriminator_rate or raise losses.gradient_penalty"
    )


def alpha_at_bound(signs: Signs) -> str | None:
    """One part of [alpha p^d; (1 - alpha) a^s] has no weight."""
    alpha = signs.means["alpha"]
    if ALPHA_BOUND < alpha < 1 - ALPHA_BOUND:
        return None
    alone, lost = ("style", "prototype") if alpha < 0.5 else ("prototype", "style")
    return (
        f"alpha is {alpha:.4g}: the descriptor is of the {alone} alone, and the {lost} teaches nothing; begin with "
        f"another networks.feature_learning.alpha or lower optimisers.alpha_rate"
    )


def dead_triplets(signs: Signs) -> str | None:
    """No anchor's hardest triplet violates the margin (Eq. 9)."""
    share = signs.means["active_triplets"]
    if share >= DEAD:
        return None
    return (
        f"{share:.1%} of the triplets violate the margin: their loss teaches nothing; raise losses.margin, or see more "
        f"people in a batch (batch.pairs, batch.negatives)"
    )


def loss_at_chance(signs: Signs) -> str | None:
    """The cross-entropy (Eq. 8) still is that of guessing among the training identities."""
    guessing = math.log(signs.classes)
    if signs.last < PATIENCE * signs.every or signs.means["cross_entropy"] < CHANCE * guessing:
        return None
    return (
        f"cross_entropy is {signs.means['cross_entropy']:.3g}, and {guessing:.3g} is guessing among "
        f"{signs.classes} identities: nobody is told apart; look at the labels, and change optimisers.feature_rate or "
        f"optimisers.generator_rate"
    )


SIGNS: dict[str, Callable[[Signs], str | None]] = {
    "discriminator wins": discriminator_wins,
    "alpha at a bound": alpha_at_bound,
    "dead triplets": dead_triplets,
    "loss at chance": loss_at_chance,
}


class Collapse(Means):
    """Looks at the mean of every `every` iterations, and warns of each of the `SIGNS` once in a run.

    told: a file of what was warned of, by sign, with the step. A resumed run forgets what it comes to again.
    """

    def __init__(self, start: int, every: int, told: Path) -> None:
        super().__init__(start, every)
        self.file = told
        before = read_json(told) if told.is_file() else {}
        try:
            self.told = {sign: warned for sign, warned in before.items() if warned["step"] <= start}
        except (AttributeError, TypeError, KeyError) as error:
            raise UserError(f"{told} is not what training writes: delete it to do without") from error

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._write()

    def on_means(self, step: int, means: Logs) -> None:
        classes = self.model.features.head.sizes["classes"]
        form = self.model.settings.losses.adversarial_form
        signs = Signs(means, step - self.count + 1, step, self.every, classes, form)
        for sign, said in SIGNS.items():
            warning = None if sign in self.told else said(signs)
            if warning is not None:
                self.told[sign] = {"step": step, "warning": f"steps {signs.first} to {step}: {warning}"}
                warnings.warn(self.told[sign]["warning"], stacklevel=1)
                self._write()

    def _write(self) -> None:
        if self.told or self.file.exists():
            write_json(self.file, self.told)
