"""A finished run made again from its configuration, in a folder of its own, and the two compared."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hicmd_tf.config import Config, with_values
from hicmd_tf.errors import UserError
from hicmd_tf.files import write_json
from hicmd_tf.runs.checkpoints import newest
from hicmd_tf.runs.folder import Change, RunFolder
from hicmd_tf.runs.origin import (
    Provenance,
    differences,
    provenance,
    read_provenance,
    refuse_other_pictures,
    with_origin,
)

if TYPE_CHECKING:
    from hicmd_tf.provenance.comparison import Comparison
    from hicmd_tf.training.callbacks import EachStep
    from hicmd_tf.training.experiment import Experiment


class Original(NamedTuple):
    """A run to be made again. config: as it began. changes: of settings while it trained. provenance: of its
    metrics.json."""

    folder: RunFolder
    config: Config
    changes: list[Change]
    provenance: Provenance


def read_original(path: Path) -> Original:
    """A finished run that began from its own initial weights.

    Raises UserError for anything else, and for one whose metrics.json does not say where it comes from.
    """
    folder = RunFolder(path)
    config = folder.begun()
    if folder.conversion.exists():
        raise UserError(f"{path} was converted: its weights are not of a training here, which could be repeated")
    if not folder.metrics.is_file():
        raise UserError(f"{path} is not finished, it has no metrics.json: go on with {folder.go_on}")
    found = read_provenance(folder.metrics)
    done = found["steps"]["end"]
    if done != config.training.steps:
        raise UserError(f"{path} is not finished, {done} of {config.training.steps} steps: go on with {folder.go_on}")
    return Original(folder, config, folder.changes(), found)


def repetition(original: Original, target: Path, source: str | None, devices: int | None) -> tuple[Config, RunFolder]:
    """The configuration to train, and the folder where.

    source: where the data set is now. devices: how many are to share a batch. None: as in the run. Raises UserError
    when the folder holds anything but an earlier attempt.
    """
    given = {"data.source": source, "training.devices": devices}
    config = with_values(original.config, {key: value for key, value in given.items() if value is not None})
    folder = RunFolder(target)
    trained = any(folder.checkpoints.glob("step-*"))
    if target.resolve() == original.folder.path.resolve() or (trained and not folder.reproduction.exists()):
        raise UserError(f"{target} holds a run that is no reproduction: name another folder with --run")
    folder.check(config, resume=True)
    return config, folder


def reproduce(original: Original, config: Config, folder: RunFolder) -> "Comparison":
    """Trains what is left of the repetition and compares; warns before of all that is not as it was.

    Raises UserError when the pictures are others, the run's last checkpoint is damaged, and as `train` does.
    """
    from hicmd_tf.provenance.comparison import compare
    from hicmd_tf.training.experiment import prepare

    _check_alone()
    _check_last_checkpoint(original)
    stages = _stages(original, config)
    experiment = prepare(stages[0].config)
    last = with_values(config, {change.setting: change.after for change in original.changes})
    changes = [change._asdict() for change in original.changes]
    now = provenance(last, experiment.data, with_origin([], config), 0, config.training.steps, changes)
    for line in differences(original.provenance, now):
        warnings.warn(line, stacklevel=1)
    refuse_other_pictures(original.provenance["data_sha256"], now["data_sha256"], original.folder.path)
    for stage in stages:
        _train(stage, folder, experiment if stage is stages[0] else None, stage is stages[-1])
    comparison = compare(original.folder, folder)
    write_json(folder.reproduction, comparison.as_json())
    return comparison


class _Stage(NamedTuple):
    """Steps of one configuration. config: as the run began, up to the stage's last step. changes: when it begins."""

    config: Config
    changes: dict[str, Any]


def _stages(original: Original, config: Config) -> list[_Stage]:
    """What a run was trained with one after another: as it began, then with each change, up to its end."""
    values: dict[int, dict[str, Any]] = {0: {}}
    for change in sorted(original.changes):
        values.setdefault(change.step, {})[change.setting] = change.after
    begun = with_values(config, values[0])  # what changed before the first step might as well have been given
    ends = [*list(values)[1:], config.training.steps]
    return [
        _Stage(with_values(begun, {"training.steps": end}), values[start] if start else {})
        for start, end in zip(values, ends, strict=True)
    ]


def _train(stage: _Stage, folder: RunFolder, experiment: "Experiment | None", last: bool) -> None:
    """Trains what is left of a stage."""
    from hicmd_tf.training.run import train

    found = None if last else newest(folder.checkpoints)
    if found is None or found.step < stage.config.training.steps:
        train(stage.config, folder, True, experiment, _marking(folder), stage.changes)


def _marking(folder: RunFolder) -> Callable[[int], Sequence["EachStep"]]:
    """Marks the folder as a repetition when training begins: what is no repetition is not compared."""

    def watch(start: int) -> Sequence["EachStep"]:
        write_json(folder.reproduction, {"verdict": "not finished"})
        return ()

    return watch


def _check_alone() -> None:
    from hicmd_tf.engines.chosen import cluster

    if cluster().workers > 1:
        raise UserError(f"TF_CONFIG names {cluster().workers} workers: a run is repeated by one process, unset it")


def _check_last_checkpoint(original: Original) -> None:
    """Before anything takes time."""
    found, end = original.folder.checkpoint(), original.provenance["steps"]["end"]
    if found.step != end:
        raise UserError(
            f"{original.folder.path} has its figures of step {end}, but its newest whole checkpoint is {found.path}: "
            f"there is nothing to compare with"
        )
