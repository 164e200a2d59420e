"""Which settings may be others when a run goes on: the one list of each kind, and how --change is read."""

from collections.abc import Sequence
from typing import Any

from hicmd_tf.config.loading import COMMAND_LINE, KEYS, expectation
from hicmd_tf.errors import UserError, nearest

NO_FIGURE_DEPENDS_ON = (
    "data.source",
    "data.directory",
    "training.devices",
    "training.checkpoint_every",
    "training.keep_checkpoints",
    "training.log_every",
    "training.picture_every",
    "training.watch_every",
)
"""Places, intervals of what is written, how many files stay, and devices, which stand with the machine: a run may go on
with others, and the configuration's hash leaves them out."""

CHANGEABLE = (
    *(f"optimisers.{name}_rate" for name in ("generator", "discriminator", "feature", "alpha")),
    *(f"optimisers.{name}" for name in ("weight_decay", "drop_every", "drop_factor")),
    *(f"losses.{name}" for name in ("same", "cross", "cycle", "code", "kl", "adversarial", "cross_entropy", "triplet")),
    *(f"losses.{name}" for name in ("gradient_penalty", "margin", "triplet_regulariser")),
)
"""Numbers that steps to come may be made with instead: --change KEY=VALUE, kept with its step in changes.json."""

REASONS = {
    "training.steps": "a run is made longer by --steps",
    **dict.fromkeys(NO_FIGURE_DEPENDS_ON, "no figure depends on it: give it as an option of its own with --resume"),
    "data": "it would be judged by other pictures than it was trained for",
    "networks": "weights and moments of the checkpoint have the form of its networks",
    "optimisers": "the moments so far were gathered with it",
    "losses": "it is another method",
    "sampling": "it is another method",
    "seed": "batches are drawn from it from the first step on",
    "batch": "batches are drawn from it from the first step on",
    "training": "what was computed so far depends on it",
}
"""Why another setting can't be changed, by its name or its section's."""


def read_changes(given: Sequence[str]) -> dict[str, Any]:
    """Values by dotted name of KEY=VALUE texts. Raises UserError, one line, for anything that can't be changed."""
    changes: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        said = f"{COMMAND_LINE}: --change {text[:80]}"
        if not equals:
            raise UserError(f"{said}: expected KEY=VALUE, such as {CHANGEABLE[0]}=1e-5")
        if key not in KEYS:
            raise UserError(f"{said}: there is no setting {key}{nearest(key, CHANGEABLE)}; --help lists all settings")
        if key not in CHANGEABLE:
            reason = REASONS.get(key) or REASONS[key.partition(".")[0]]
            raise UserError(f"{said}: {key} can't change while a run trains: {reason}")
        if key in changes:
            raise UserError(f"{said}: {key} is given twice: give it once")
        try:
            changes[key] = KEYS[key](value)
        except ValueError as error:
            raise UserError(f"{said}: expected {expectation(KEYS[key])}") from error
    return changes
