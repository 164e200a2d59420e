"""Run by test_distributed, in processes of their own, in double precision: there rounding stays small after an Adam
that divides by gradients which are nothing but rounding.

device_runs.py compare CONFIG SETTINGS OUT: the first iterations on one device, and on two logical ones, which must be
there before TensorFlow starts. SETTINGS: JSON. Writes JSON: one, two: losses of each step; running: the largest
difference of batch norm's running statistics after them, relative to the
variable's largest (or 1e-6).
device_runs.py fit ..: hicmd fit.
"""

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hicmd_tf.commands import fit
from hicmd_tf.config import load
from hicmd_tf.data import batches, pictures
from hicmd_tf.engines.tensorflow.devices import Workers
from hicmd_tf.errors import run_command
from hicmd_tf.training.experiment import prepare
from hicmd_tf.training.loop import iterate

STEPS = 3


class Losses(keras.callbacks.Callback):
    """Keeps what each step logs."""

    looks_every = None

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.rows.append(dict(logs or {}))


def run(config: Path, settings: dict[str, Any], devices: int) -> tuple[list[dict[str, float]], list[Any]]:
    """Losses of the first steps, and the running statistics after them."""
    keras.utils.clear_session()
    experiment = prepare(load(config, {**settings, "training.devices": devices}))
    workers, losses = Workers(experiment.model), Losses()
    assert workers.strategy.num_replicas_in_sync == devices
    iterate(experiment, 0, STEPS, [losses])
    return losses.rows, [v.numpy() for v in experiment.model.non_trainable_variables if "moving_" in v.path]


def double_precision() -> None:
    """Networks and pictures are float64 from now on."""
    keras.config.set_floatx("float64")
    batches.normalise = lambda pixels: pictures.normalise(pixels).astype("float64")
    # Improving the graph takes longer than its few iterations.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def compare(config: Path, settings: dict[str, Any], out: Path) -> None:
    """One device and two."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    (one, of_one), (two, of_two) = (run(config, settings, devices) for devices in (1, 2))
    running = [float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-6)) for a, b in zip(of_one, of_two, strict=True)]
    out.write_text(json.dumps({"one": one, "two": two, "running": max(running)}))


if __name__ == "__main__":
    double_precision()
    if sys.argv[1] == "fit":
        run_command(lambda: fit.main(sys.argv[2:]))
    else:
        compare(Path(sys.argv[2]), json.loads(sys.argv[3]), Path(sys.argv[4]))
