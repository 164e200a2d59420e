"""A step that failed ends the run, and is kept so that it can be run again by itself: the state before it, its batch,
what it gave."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hicmd_tf.config import Config, dump, load_stored
from hicmd_tf.data.batches import DETAILS, batches
from hicmd_tf.errors import UserError, counted, some
from hicmd_tf.files import making_folder, read_json, write_json, write_text
from hicmd_tf.runs.checkpoints import Checkpoint, newest, write
from hicmd_tf.training.callbacks import Logs
from hicmd_tf.training.experiment import Experiment

DESCRIPTION, CONFIG = "failure.json", "config.yaml"
BATCH = "batch/"  # in the names of what the checkpoint has beside the state
SHOWN = 2  # pictures that a message names
NAMED = 3  # losses that it names


class NotFiniteError(UserError):
    """A loss or a weight is non-finite."""


Report = Callable[[int, Logs, list[str]], str]
"""Takes the step, its losses and the weights that it spoilt; says what becomes of them, and what to do."""
START_AGAIN = "lower the learning rates (optimisers.*_rate, embedding.rate) and start again"
"""What to do where nothing of the failed step is kept."""


def said(logs: Logs, spoilt: list[str]) -> str:
    """A failure in words. Totals are named only when no other loss is non-finite."""
    terms = [name for name, value in logs.items() if not math.isfinite(value)]
    named = [name for name in terms if not name.endswith("_total")] or terms
    words = [f"{name} became {logs[name]}" for name in named[:NAMED]]
    if len(named) > NAMED:
        words.append(f"{len(named) - NAMED} more losses too")
    if spoilt:
        words.append(f"the gradients would spoil {counted(len(spoilt), 'weight')}, the first is {spoilt[0]}")
    return ", ".join(words)


class Failure(NamedTuple):
    """step: the iteration, counted from 1. losses: what it gave, by name. spoilt: weights that it would have made
    non-finite, by path. pictures: of its batch, see `_pictures`."""

    step: int
    losses: dict[str, float]
    spoilt: list[str]
    pictures: list[dict[str, Any]]


def write_failure(folder: Path, experiment: Experiment, step: int, losses: dict[str, float], spoilt: list[str]) -> str:
    """Makes a folder of a failed step in the place of an older one, while the model holds the state before the step.

    Returns in words which pictures the step saw. Raises UserError when the folder can't be written.
    """
    failure = Failure(step, losses, spoilt, _pictures(experiment, step))
    told = {name: str(value) for name, value in losses.items()}  # JSON has finite numbers only
    (batch,) = batches(experiment.planner, experiment.data.train, step - 1, step)
    details = {
        f"{BATCH}{kind}/{name}": values for kind in DETAILS if kind in batch for name, values in batch.pop(kind).items()
    }
    tensors = {**{f"{BATCH}{name}": tensor for name, tensor in batch.items()}, **details}
    shutil.rmtree(folder, ignore_errors=True)
    with making_folder(folder) as partial:
        write_text(partial / CONFIG, dump(experiment.model.settings))
        write_json(partial / DESCRIPTION, {**failure._asdict(), "losses": told})
        write(partial, experiment.model.step, {**experiment.model.state, **tensors}, notes={})
    return some([picture["name"] for picture in failure.pictures], SHOWN)


def read_failure(folder: Path) -> tuple[Config, Failure, Checkpoint, dict[str, Any]]:
    """The configuration, what is known of the step, the state before it, and its batch as `batches` has it.

    Raises UserError when there is none, or its files are damaged.
    """
    file = folder / DESCRIPTION
    if not file.is_file():
        raise UserError(f"{folder} has no {DESCRIPTION}: only a run that stopped at a step which failed has one")
    try:
        failure = Failure(**read_json(file))
        failure = failure._replace(losses={name: float(value) for name, value in failure.losses.items()})
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{file} is damaged ({error}): expected what a failed run wrote") from error
    found = newest(folder)
    if found is None:
        raise UserError(f"{folder} has no checkpoint: expected what a failed run wrote, copy it again")
    named = {name.removeprefix(BATCH): array for name, array in found.arrays.items() if name.startswith(BATCH)}
    batch: dict[str, Any] = {}
    for name, array in named.items():
        outer, _, inner = name.partition("/")
        into = batch.setdefault(outer, {}) if inner else batch
        into[inner or outer] = array
    state = {name: array for name, array in found.arrays.items() if not name.startswith(BATCH)}
    return load_stored(folder / CONFIG), failure, found._replace(arrays=state), batch


def _pictures(experiment: Experiment, step: int) -> list[dict[str, Any]]:
    """The records of a step's batch in its order: what a picture stands for in it, its name, person and modality,
    whether it was flipped, the box (top, left, height, width) that was erased of what HFL, or an embedding network,
    saw, and the `Plan.details`."""
    plan, samples = experiment.planner.plan(step - 1), experiment.data.train
    return [
        {
            "as": kind,
            "name": samples.names[row],
            "identity": int(samples.identities[row]),
            "person": samples.identity(row),
            "modality": samples.modality(row),
            "flipped": bool(plan.flips[kind][place]),
            "erased": plan.erasing[kind][place].tolist(),
            **{detail: of[kind][place].tolist() for detail, of in plan.details.items() if kind in of},
        }
        for kind in plan.rows
        for place, row in enumerate(plan.rows[kind].tolist())
    ]
