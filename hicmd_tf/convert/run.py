"""Whole conversions: a checkpoint folder to a run folder, and back."""

from pathlib import Path

from hicmd_tf.config import Config
from hicmd_tf.config.kinds import HICMD
from hicmd_tf.convert.files import Released, fill, read_checkpoint, write_checkpoint
from hicmd_tf.errors import UserError, waiting
from hicmd_tf.files import check_writable, making_folder, write_json
from hicmd_tf.method.networks.build import Networks
from hicmd_tf.runs.checkpoints import write
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.training.experiment import build_model


def to_run(source: Path, target: Path, config: Config, iteration: int | None = None) -> tuple[Released, int]:
    """Makes a run folder of a released checkpoint; `target` appears whole or not at all. Returns what was read, and how
    many unused tensors were dropped.

    config: of the networks' sizes; its resnet_weights must be none, which has the release's strides. The optimisers
    start fresh, but at the checkpoint's iteration. Raises UserError for everything that is wrong.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} exists already: name another folder for the run")
    check_writable(target / "config.yaml")
    if config.method != HICMD:
        raise UserError(f"method is {config.method}: released checkpoints are of hicmd; name a configuration of that")
    waiting(f"reading {source}")
    released = read_checkpoint(source, iteration)
    model = build_model(config, released.classes)
    assert isinstance(model.networks, Networks)
    dropped = fill(model.networks, released)
    for optimiser in model.optimisers.by_part().values():
        optimiser.iterations.assign(released.iteration)
    with making_folder(target) as partial:
        folder = RunFolder(partial)
        folder.begin(config, resume=False)
        origin = {"iteration": released.iteration, "classes": released.classes, "files": released.digests()}
        write_json(folder.conversion, {**origin, "dropped": dropped})
        write(folder.checkpoints, model.step, model.state, notes={})
    return released, dropped


def to_torch(run: Path, target: Path) -> list[Path]:
    """Writes the newest checkpoint of a run as released files; returns their paths. Raises UserError."""
    check_writable(target / "gen.pt")
    model = OpenedRun(run).model
    return write_checkpoint(model.networks, model.step, target)
