"""A failed step run again by itself: its losses, its gradients, and the first operation whose result is non-finite."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from tensorflow.python.framework import op_callbacks

from hicmd_tf.engines.chosen import BACKEND, set_up
from hicmd_tf.errors import UserError, counted
from hicmd_tf.tables import as_text
from hicmd_tf.training.experiment import build_model
from hicmd_tf.training.failure import Failure, read_failure

PACKAGE = Path(__file__).parents[1]
DIFFERS = (
    "the step gives other numbers than in the run: by kernels that differ from run to run (training.deterministic), "
    "another device, or a fault of the machine"
)

OTHERS = "TensorFlow, which runs the step again, rounds otherwise, so that finite numbers differ, large ones visibly"


class Replayed(NamedTuple):
    """failure: what the run noted. losses: what the step gives now. origin: the first operation whose result is
    non-finite, and where it stands in our code; empty where there is none. engine: of the run."""

    failure: Failure
    losses: dict[str, float]
    origin: str
    engine: str = BACKEND


def replay(folder: Path) -> Replayed:
    """Runs the step that a folder of `write_failure` holds, with TensorFlow, whoever trained. Raises UserError when
    there is none, or it is damaged."""
    if BACKEND != "tensorflow":
        raise UserError(f"KERAS_BACKEND is {BACKEND}: steps are run again with TensorFlow, whoever trained; unset it")
    config, failure, found, arrays = read_failure(folder)
    set_up(config)
    model = build_model(config, found.classes, restored=True)
    found.fill(model.state)
    batch = tf.nest.map_structure(tf.convert_to_tensor, arrays)
    losses = tf.function(lambda: model.train_step(batch), autograph=False)()
    found.fill(model.state)
    place = origin(lambda: model.train_step(batch))
    return Replayed(failure, {name: float(value) for name, value in losses.items()}, place, config.training.engine)


def origin(step: Callable[[], Any]) -> str:
    """The first operation, run one by one, that makes a non-finite result of finite numbers: its kind, the layers in
    which it stands, and the line of our code; empty when there is none."""
    found: list[str] = []

    def look(kind: str, inputs: Any, attributes: Any, outputs: Any, name: Any = None, graph: Any = None) -> None:
        if not found and graph is None and not _finite(outputs) and _finite(inputs):
            name = kind.decode() if isinstance(kind, bytes) else kind  # as some operations call themselves
            found.append(f"{name} in {_place()}")

    # TensorFlow's own `tf.debugging.enable_check_numerics` also stops at constants, which say that something is absent.
    op_callbacks.add_op_callback(look)
    try:
        step()
    finally:
        op_callbacks.remove_op_callback(look)
    return "".join(found)


def _finite(tensors: Any) -> bool:
    return all(bool(tf.reduce_all(tf.math.is_finite(one))) for one in tensors if one.dtype.is_floating)


def _place() -> str:
    """Where the program is: layers from the outermost on, the line of ours that asked for the operation."""
    frames = [frame for frame, _ in traceback.walk_stack(None)][::-1]
    layers = [frame.f_locals.get("self") for frame in frames]
    names = dict.fromkeys(layer.name for layer in layers if isinstance(layer, keras.layers.Layer))
    ours = [frame for frame in frames if PACKAGE in Path(frame.f_code.co_filename).parents]
    asked = [frame for frame in ours if frame.f_code.co_filename != __file__]
    file = [f"{Path(frame.f_code.co_filename).relative_to(PACKAGE.parent)}:{frame.f_lineno}" for frame in asked[-1:]]
    return ", ".join(["/".join(names), *file])


def shown(replayed: Replayed) -> str:
    """The printed text."""
    failure, losses = replayed.failure, replayed.losses
    rows = [f"step {failure.step} and its {counted(len(failure.pictures), 'picture')}", ""]
    compared = [[name, f"{value:.6g}", f"{losses[name]:.6g}"] for name, value in failure.losses.items()]
    rows += [as_text([["loss", "in the run", "now"], *compared]), ""]
    large = (
        f"; {counted(len(failure.spoilt), 'weight')} would pass 1e19, whose squares are not" if failure.spoilt else ""
    )
    rows.append(f"first non-finite result: {replayed.origin}" if replayed.origin else f"all results are finite{large}")
    same = repr(failure.losses) == repr({name: losses[name] for name in failure.losses})  # where NaN equals itself
    if same:
        rows.append("the step gives what it gave in the run")
    else:
        rows.append(DIFFERS if replayed.engine == BACKEND else f"the run was trained with {replayed.engine}; {OTHERS}")
    return "\n".join(rows)
