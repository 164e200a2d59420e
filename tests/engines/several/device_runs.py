"""Run by test_devices in processes of their own, with the engine that KERAS_BACKEND names; in double precision, where
rounding stays small after an Adam that divides by gradients which are nothing but rounding.

device_runs.py compare CASES OUT: the first iterations of each case. CASES: JSON, by name [configuration, settings,
joined]. Writes JSON, by name the losses of each step; and beside it NAME.npz, everything that the steps changed.
device_runs.py fit ..: hicmd fit.
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from hicmd_tf.commands import fit
from hicmd_tf.config import load
from hicmd_tf.data import batches, pictures
from hicmd_tf.engines.chosen import BACKEND, Learner, Workers
from hicmd_tf.errors import run_command
from hicmd_tf.training import experiment as module
from hicmd_tf.training.loop import iterate

if BACKEND == "jax":
    import jax
else:
    import tensorflow as tf

DEVICES = 4
STEPS = 3


class Losses(keras.callbacks.Callback):
    """Keeps what each step logs."""

    looks_every = None

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.rows.append(dict(logs or {}))


def double_precision() -> None:
    """Networks and pictures are float64 from now on."""
    keras.config.set_floatx("float64")
    batches.normalise = lambda pixels: pictures.normalise(pixels).astype("float64")
    if BACKEND == "tensorflow":  # improving the graph takes longer than its few iterations
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def several_devices() -> None:
    """The CPU is several, which must be so before the engine starts."""
    if BACKEND == "jax":
        jax.config.update("jax_num_cpu_devices", DEVICES)
    else:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * DEVICES)


def devices_of(model: Learner) -> int:
    """How many share a batch."""
    if BACKEND == "jax":
        return model.mesh.size if model.mesh else 1
    return model.distribute_strategy.num_replicas_in_sync


def run(config: Path, settings: dict[str, Any], joined: bool) -> tuple[list[dict[str, float]], dict[str, Any]]:
    """Losses of the first steps, and the state after them."""
    keras.utils.clear_session()
    if BACKEND == "jax":
        module.Learner = partial(Learner, joined=joined)
    experiment = module.prepare(load(config, settings))
    model, losses = experiment.model, Losses()
    assert devices_of(model) == settings.get("training.devices", 1)
    Workers(model).take_chiefs(list(model.state.values()))  # as `train` does
    iterate(experiment, 0, STEPS, [losses])
    return losses.rows, {name: np.asarray(value) for name, value in model.state.items()}


def compare(cases: dict[str, Any], out: Path) -> None:
    """One case after the other."""
    found = {}
    for name, (config, settings, joined) in cases.items():
        found[name], state = run(Path(config), settings, joined)
        np.savez(out.with_name(f"{name}.npz"), **{key.replace("/", "|"): value for key, value in state.items()})
    out.write_text(json.dumps(found))


if __name__ == "__main__":
    double_precision()
    if sys.argv[1] == "fit":
        run_command(lambda: fit.main(sys.argv[2:]))
    else:
        several_devices()
        compare(json.loads(sys.argv[2]), Path(sys.argv[3]))
