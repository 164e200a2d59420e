"""Run by test_forms in a process for each engine, one after the other, in double precision.

first_steps.py CONFIG CASES FOLDER: two iterations of every case, from one state; with TensorFlow without graphs.
CASES: JSON, settings by name. TensorFlow, which comes first, leaves the state in FOLDER; both leave their losses,
ENGINE.json.
"""

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from hicmd_tf.config import Config, load
from hicmd_tf.data.batches import REAL, BatchPlanner, batches
from hicmd_tf.data.datasets import load as load_data
from hicmd_tf.engines.chosen import BACKEND
from hicmd_tf.training.experiment import build_model

STEPS = 2


def losses(config: Config, file: Path) -> list[dict[str, float]]:
    """Of each step. file: of the state before."""
    data = load_data(config.data).train
    planner = BatchPlanner(data, config.batch, config.data.height, config.data.width, config.seed)
    model = build_model(config, len(planner.classes))
    if BACKEND == "tensorflow":
        np.savez(file, **{name: np.asarray(variable) for name, variable in model.state.items()})
    else:
        with np.load(file) as found:
            for name, variable in model.state.items():
                variable.assign(found[name])
    rows = []
    for batch in batches(planner, data, 0, STEPS):
        floats = {name: batch[name].astype(keras.config.floatx()) for name in REAL}
        found = model.train_step(tensors({**batch, **floats}))
        rows.append({name: float(value) for name, value in found.items()})
    return rows


def tensors(batch: dict[str, Any]) -> dict[str, Any]:
    """As the engine takes them."""
    if BACKEND != "tensorflow":
        return batch
    import tensorflow as tf

    return tf.nest.map_structure(tf.convert_to_tensor, batch)


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    config, cases, folder = sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3])
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tf.config.run_functions_eagerly(True)
    done = {name: losses(load(config, settings), folder / f"{name}.npz") for name, settings in cases.items()}
    (folder / f"{BACKEND}.json").write_text(json.dumps(done))
