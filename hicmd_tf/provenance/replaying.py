"""A failed step run again by itself: its losses, its gradients, and the first operation whose result is non-finite."""

import math
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from tensorflow.python.framework import op_callbacks

from hicmd_tf.config import Config
from hicmd_tf.engines.chosen import HiCMD, LastGood, set_up
from hicmd_tf.errors import UserError, some
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.method.precision import computing_in
from hicmd_tf.notation import Tensor
from hicmd_tf.runs.checkpoints import newest
from hicmd_tf.tables import as_text
from hicmd_tf.training.failure import Failure, read_failure
from hicmd_tf.training.optimisers import make_optimisers

OPTIMISERS = {
    "ID-PIG": "optimizer",
    "discriminators": "discriminator_optimiser",
    "HFL": "feature_optimiser",
}
SHOWN = 3  # paths of gradients that are named
PACKAGE = Path(__file__).parents[1]
DIFFERS = (
    "the step gives other numbers than in the run: by kernels that differ from run to run (training.deterministic), "
    "another device, or a fault of the machine"
)


class Replayed(NamedTuple):
    """failure: what the run noted. losses: what the step gives now. norms: of each optimiser's gradients together.
    bad: paths of variables whose gradient isn't finite. origin: the first operation whose result is non-finite, and
    where it stands in our code; empty where there is none."""

    failure: Failure
    losses: dict[str, float]
    norms: dict[str, float]
    bad: list[str]
    origin: str


def replay(folder: Path) -> Replayed:
    """Runs the step that a folder of `write_failure` holds. Raises UserError when there is none, or it is damaged."""
    config, failure, batch = read_failure(folder)
    set_up(config)
    model = _model(config, folder)
    good, seen = LastGood(model), _Seen(model)
    losses, squares = tf.function(lambda: (model.train_step(batch), dict(seen.squares)), autograph=False)()
    totals = dict.fromkeys(OPTIMISERS, 0.0)
    for (optimiser, _), square in squares.items():
        totals[optimiser] += float(square)
    bad = [path for (_, path), square in squares.items() if not math.isfinite(float(square))]
    good.restore()
    return Replayed(
        failure,
        {name: float(value) for name, value in losses.items()},
        {name: math.sqrt(total) for name, total in totals.items()},
        bad,
        origin(lambda: model.train_step(batch)),
    )


def _model(config: Config, folder: Path) -> HiCMD:
    """The model as it was before the step."""
    found = newest(folder)
    if found is None:
        raise UserError(f"{folder} has no whole checkpoint: expected what a failed run wrote, copy it again")
    keras.utils.set_random_seed(config.seed)
    with computing_in(config.training.precision):
        networks = build_networks(config.networks, found.classes, restored=True)
    model = HiCMD(networks, config)
    model.compile(make_optimisers(config.optimisers))
    found.fill(model.state)
    return model


class _Seen:
    """The sums of squares of the gradients that a model's optimisers are given, by optimiser and variable."""

    def __init__(self, model: HiCMD) -> None:
        self.squares: dict[tuple[str, str], Tensor] = {}
        for name, attribute in OPTIMISERS.items():
            self._watch(name, getattr(model, attribute))

    def _watch(self, name: str, optimiser: Any) -> None:
        apply = optimiser.apply

        def note_and_apply(gradients: Sequence[Tensor | None], variables: Sequence[Any]) -> None:
            for gradient, variable in zip(gradients, variables, strict=True):
                if gradient is not None:
                    self.squares[name, variable.path] = 2 * tf.cast(tf.nn.l2_loss(gradient), "float64")
            apply(gradients, variables)

        optimiser.apply = note_and_apply


def origin(step: Callable[[], Any]) -> str:
    """The first operation, run one by one, that makes something infinite or no number of finite numbers: its kind, the
    layers in which it stands, and the line of our code; empty when there is none."""
    found: list[str] = []

    def look(kind: str, inputs: Any, attributes: Any, outputs: Any, name: Any = None, graph: Any = None) -> None:
        if not found and graph is None and not _finite(outputs) and _finite(inputs):
            found.append(f"{kind} in {_place()}")

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
    """What is printed."""
    failure, losses = replayed.failure, replayed.losses
    rows = [f"step {failure.step} and its {len(failure.pictures)} pictures", ""]
    compared = [[name, f"{value:.6g}", f"{losses[name]:.6g}"] for name, value in failure.losses.items()]
    rows.append(as_text([["loss", "in the run", "now"], *compared]))
    rows += ["", *(f"norm of the gradients of {name}: {norm:.6g}" for name, norm in replayed.norms.items())]
    if replayed.bad:
        rows.append(f"non-finite gradients: {some(replayed.bad, SHOWN)}")
    rows.append(f"first non-finite result: {replayed.origin}" if replayed.origin else "all results are finite")
    same = all(_same(value, losses[name]) for name, value in failure.losses.items())
    rows.append("the step gives what it gave in the run" if same else DIFFERS)
    return "\n".join(rows)


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))
