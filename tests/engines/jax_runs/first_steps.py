"""Run by test_forms in a process for each engine, one after the other, in double precision.

first_steps.py CASES FOLDER: two iterations of every case, from one state; with TensorFlow without graphs. CASES: JSON,
[configuration, settings] by name. TensorFlow, which comes first, leaves the state in FOLDER; both leave their losses,
ENGINE.json, and the state afterwards, NAME.ENGINE.npz.
"""

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from hicmd_tf.config import Config, load
from hicmd_tf.data.batches import REAL, batches
from hicmd_tf.data.datasets import load as load_data
from hicmd_tf.data.planners import planner_of
from hicmd_tf.engines.chosen import BACKEND
from hicmd_tf.training.experiment import build_model

STEPS = 2


def losses(config: Config, file: Path, after: Path) -> list[dict[str, float]]:
    """Of each step. file: of the state before. after: of the state that is left."""
    data = load_data(config.data).train
    planner = planner_of(config, data)
    model = build_model(config, len(planner.classes))
    if BACKEND == "tensorflow":
        save(file, model.state)
    else:
        with np.load(file) as found:
            for name, variable in model.state.items():
                variable.assign(found[name])
    rows = []
    for batch in batches(planner, data, 0, STEPS):
        floats = {name: batch[name].astype(keras.config.floatx()) for name in REAL if name in batch}
        found = model.train_step(tensors({**batch, **floats}))
        rows.append({name: float(value) for name, value in found.items()})
    save(after, model.state)
    return rows


def save(file: Path, state: dict[str, Any]) -> None:
    """Arrays by name."""
    np.savez(file, **{name: np.asarray(variable) for name, variable in state.items()})


def tensors(batch: dict[str, Any]) -> dict[str, Any]:
    """As the engine takes them."""
    if BACKEND != "tensorflow":
        return batch
    import tensorflow as tf

    return tf.nest.map_structure(tf.convert_to_tensor, batch)


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    cases, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tf.config.run_functions_eagerly(True)
    else:
        from double_precision import set_up

        set_up()
    done = {
        name: losses(load(config, settings), folder / f"{name}.npz", folder / f"{name}.{BACKEND}.npz")
        for name, (config, settings) in cases.items()
    }
    (folder / f"{BACKEND}.json").write_text(json.dumps(done))
