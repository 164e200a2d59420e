"""Run by test_devices, in a process of its own with several CPU devices, which must be there before JAX starts; in
double precision, where rounding stays small after an Adam that divides by gradients which are nothing but rounding.

device_runs.py compare CONFIG CASES OUT: the first iterations of each case. CASES: JSON, by name [settings, joined].
Writes JSON by name: losses of each step; state, a file of everything that the steps changed.
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
from hicmd_tf.engines.jax.devices import Workers
from hicmd_tf.engines.jax.hicmd import HiCMD
from hicmd_tf.errors import run_command
from hicmd_tf.training import experiment as module
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


def run(config: Path, settings: dict[str, Any], joined: bool) -> tuple[list[dict[str, float]], dict[str, Any]]:
    """Losses of the first steps, and the state after them."""
    keras.utils.clear_session()
    module.HiCMD = partial(HiCMD, joined=joined)  # type: ignore[misc]
    experiment = module.prepare(load(config, settings))
    devices, losses = settings.get("training.devices", 1), Losses()
    assert (experiment.model.mesh.size if experiment.model.mesh else 1) == devices
    Workers(experiment.model).take_chiefs(list(experiment.model.state.values()))  # as `train` does
    iterate(experiment, 0, STEPS, [losses])
    return losses.rows, {name: np.asarray(value) for name, value in experiment.model.state.items()}


def compare(config: Path, cases: dict[str, Any], out: Path) -> None:
    """One case after the other."""
    found = {}
    for name, (settings, joined) in cases.items():
        rows, state = run(config, settings, joined)
        np.savez(out.with_name(f"{name}.npz"), **{key.replace("/", "|"): value for key, value in state.items()})
        found[name] = rows
    out.write_text(json.dumps(found))


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    if sys.argv[1] == "fit":
        run_command(lambda: fit.main(sys.argv[2:]))
    else:
        compare(Path(sys.argv[2]), json.loads(sys.argv[3]), Path(sys.argv[4]))
