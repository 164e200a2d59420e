"""A finished run made again from its configuration, in a folder of its own, and the two compared."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hicmd_tf.config import Config, with_values
from hicmd_tf.errors import UserError
from hicmd_tf.files import write_json
from hicmd_tf.training.provenance import Provenance, differences, provenance, read_provenance, with_origin
from hicmd_tf.training.run_folder import RunFolder

if TYPE_CHECKING:
    from hicmd_tf.training.callbacks import EachStep
    from hicmd_tf.training.comparison import Comparison


class Original(NamedTuple):
    """A run to be made again. config: as it was trained. provenance: of its metrics.json."""

    folder: RunFolder
    config: Config
    provenance: Provenance


def read_original(path: Path) -> Original:
    """A finished run that began from its own initial weights; imports no TensorFlow.

    Raises UserError for anything else, and for one whose metrics.json does not say where it comes from.
    """
    folder = RunFolder(path)
    config = folder.open()
    if folder.conversion.exists():
        raise UserError(f"{path} was converted: its weights are not of a training here, which could be repeated")
    again = f"python -m hicmd_tf.fit --config {folder.config} --run {path} --resume"
    if not folder.metrics.is_file():
        raise UserError(f"{path} is not finished, it has no metrics.json: go on with {again}")
    found = read_provenance(folder.metrics)
    done = found["steps"]["end"]
    if done != config.training.steps:
        raise UserError(f"{path} is not finished, {done} of {config.training.steps} steps: go on with {again}")
    return Original(folder, config, found)


def repetition(original: Original, target: Path, source: str | None, devices: int | None) -> tuple[Config, RunFolder]:
    """The configuration to train, and the folder where; imports no TensorFlow.

    source: where the data set is now. devices: how many are to share a batch. None: as in the run. Raises UserError
    when the folder holds anything but an earlier attempt.
    """
    given = {"data.source": source, "training.devices": devices}
    config = with_values(original.config, {key: value for key, value in given.items() if value is not None})
    folder = RunFolder(target)
    trained = any(folder.checkpoints.glob("ckpt-*"))
    if target.resolve() == original.folder.path.resolve() or (trained and not folder.reproduction.exists()):
        raise UserError(f"{target} holds a run that is no reproduction: name another folder with --run")
    folder.check(config, resume=True)
    return config, folder


def reproduce(original: Original, config: Config, folder: RunFolder) -> "Comparison":
    """Trains what is left of the repetition and compares; warns before of all that is not as it was.

    Raises UserError when the pictures are others, the run's last checkpoint is damaged, and as `train` does.
    """
    from hicmd_tf.training.comparison import compare
    from hicmd_tf.training.experiment import prepare
    from hicmd_tf.training.run import train

    _check_alone()
    _check_last_checkpoint(original)
    experiment = prepare(config)
    now = provenance(config, experiment.data, with_origin([], config), 0, config.training.steps)
    for line in differences(original.provenance, now):
        warnings.warn(line, stacklevel=1)
    _check_data(original, now)
    train(config, folder, resume=True, experiment=experiment, watch=_marking(folder))
    comparison = compare(original.folder, folder)
    write_json(folder.reproduction, comparison.as_json())
    return comparison


def _marking(folder: RunFolder) -> Callable[[int], Sequence["EachStep"]]:
    """Marks the folder as a repetition when training begins: what is no repetition is not compared."""

    def watch(start: int) -> Sequence["EachStep"]:
        write_json(folder.reproduction, {"verdict": "not finished"})
        return ()

    return watch


def _check_alone() -> None:
    from hicmd_tf.training.devices import cluster

    if cluster().workers > 1:
        raise UserError(f"TF_CONFIG names {cluster().workers} workers: a run is repeated by one process, unset it")


def _check_last_checkpoint(original: Original) -> None:
    """Before anything takes time."""
    from hicmd_tf.training.restore import newest_checkpoint

    newest, end = newest_checkpoint(original.folder), original.provenance["steps"]["end"]
    if not newest.endswith(f"-{end}"):
        raise UserError(
            f"{original.folder.path} has its figures of step {end}, but its newest whole checkpoint is {newest}: there "
            f"is nothing to compare with"
        )


def _check_data(original: Original, now: Provenance) -> None:
    then: dict[str, Any] = original.provenance["data_sha256"]
    for split, found in now["data_sha256"].items():
        if then.get(split) != found:
            raise UserError(
                f"the {split.replace('_', '-')} pictures, their names or labels are not those that "
                f"{original.folder.path} was made with (sha256 {str(then.get(split))[:12]}, now {found[:12]}): bring "
                f"them back, or say with --source where they are"
            )
