"""A step that failed, kept so that it can be run again by itself: the state before it, its batch, what it gave."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from hicmd_tf.arrays import read_arrays
from hicmd_tf.config import Config, dump, load
from hicmd_tf.data.batches import GENERATED, REAL, batches
from hicmd_tf.errors import UserError, some
from hicmd_tf.files import making_folder, read_json, replacing, write_json, write_text
from hicmd_tf.notation import MODALITIES
from hicmd_tf.runs.checkpoints import write
from hicmd_tf.training.experiment import Experiment

DESCRIPTION, CONFIG, BATCH = "failure.json", "config.yaml", "batch.npz"
SHOWN = 2  # pictures that a message names


class Failure(NamedTuple):
    """step: the iteration, counted from 1. losses: what it gave, by name. spoilt: weights that it would have made no
    numbers, by path. pictures: of its batch, see `_pictures`."""

    step: int
    losses: dict[str, float]
    spoilt: list[str]
    pictures: list[dict[str, Any]]


def write_failure(folder: Path, experiment: Experiment, step: int, losses: dict[str, float], spoilt: list[str]) -> str:
    """Makes a folder of a failed step in the place of an older one, while the model holds the state before the step.

    Returns in words which pictures the step saw. Raises UserError when the folder can't be written.
    """
    failure = Failure(step, losses, spoilt, _pictures(experiment, step))
    shutil.rmtree(folder, ignore_errors=True)
    with making_folder(folder) as partial:
        write_text(partial / CONFIG, dump(experiment.model.settings))
        write_json(partial / DESCRIPTION, {**failure._asdict(), "losses": {k: str(v) for k, v in losses.items()}})
        (batch,) = batches(experiment.planner, experiment.data.train, step - 1, step)
        _write_batch(partial / BATCH, batch)
        write(partial, experiment.model.step, experiment.model.state, notes={})
    names = [picture["name"] for picture in failure.pictures]
    return some(names, SHOWN)


def read_failure(folder: Path) -> tuple[Config, Failure, dict[str, Any]]:
    """The configuration, what is known of the step, and its batch as the model takes it.

    Raises UserError when there is none, or its files are damaged.
    """
    if not (folder / DESCRIPTION).is_file():
        raise UserError(f"{folder} has no {DESCRIPTION}: only a run that stopped at a step which failed has one")
    config = load(folder / CONFIG)
    said = read_json(folder / DESCRIPTION)
    try:
        losses = {str(name): float(value) for name, value in said["losses"].items()}
        failure = Failure(int(said["step"]), losses, list(map(str, said["spoilt"])), list(said["pictures"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{folder / DESCRIPTION} is damaged ({type(error).__name__}: {error}): expected what a failed run wrote"
        ) from error
    return config, failure, _read_batch(folder / BATCH, config)


def _pictures(experiment: Experiment, step: int) -> list[dict[str, Any]]:
    """The records of a step's batch in its order: what a picture stands for in it, its name, person and modality,
    whether it was flipped, and the box (top, left, height, width) that was erased for HFL."""
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
        }
        for kind in REAL
        for place, row in enumerate(plan.rows[kind].tolist())
    ]


def _write_batch(file: Path, batch: dict[str, Any]) -> None:
    """Tensors by name; those of a dictionary in it by both names."""
    flat = {
        name if inner is None else f"{name}/{inner}": tensor.numpy()
        for name, value in batch.items()
        for inner, tensor in (value.items() if isinstance(value, dict) else [(None, value)])
    }
    with replacing(file) as target:
        np.savez(target, **flat)


def _read_batch(file: Path, config: Config) -> dict[str, Any]:
    """What `_write_batch` wrote. Raises UserError when it is no batch of the configuration."""
    arrays, forms = read_arrays(file, "a batch"), _forms(config)
    for name in sorted({*arrays, *forms}):
        found = (arrays[name].shape, arrays[name].dtype.name) if name in arrays else "nothing"
        if found != forms.get(name, "nothing"):
            raise UserError(
                f"{file}: {name[:40]} is {found}, expected {forms.get(name, 'nothing')}: take what the failed run wrote"
            )
    batch: dict[str, Any] = {}
    for name, array in arrays.items():
        outer, _, inner = name.partition("/")
        if inner:
            batch.setdefault(outer, {})[inner] = tf.constant(array)
        else:
            batch[outer] = tf.constant(array)
    return batch


def _forms(config: Config) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and type of everything in a batch (`data.batches`), by the names in the file."""
    data, batch = config.data, config.batch
    counts = {name: batch.negatives if "negatives" in name else batch.pairs for name in REAL + GENERATED}
    labels = {"identities": batch.pairs, **{f"{m}_negative_identities": batch.negatives for m in MODALITIES}}
    return {
        **{name: ((counts[name], data.height, data.width, 3), keras.config.floatx()) for name in REAL},
        **{name: ((count,), "int32") for name, count in labels.items()},
        **{f"erasing/{name}": ((count, 4), "int32") for name, count in counts.items()},
        "step": ((), "int64"),
    }
