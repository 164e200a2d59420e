"""A finished run made again from its configuration, in a folder of its own, and the two compared."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hicmd_tf.config import Config, with_values
from hicmd_tf.errors import UserError
from hicmd_tf.files import write_json
from hicmd_tf.runs.changes import Change
from hicmd_tf.runs.checkpoints import newest
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.origin import Provenance, provenance, read_provenance, refuse_other_pictures, with_origin

if TYPE_CHECKING:
    from hicmd_tf.provenance.comparison import Comparison
    from hicmd_tf.training.callbacks import EachStep


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
    if len(folder.engines()) > 1:
        raise UserError(
            f"{path} was trained with {' and '.join(folder.engines())} in turn: a repetition has one engine"
        )
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
    from hicmd_tf.engines.chosen import cluster
    from hicmd_tf.provenance.comparison import compare, differences
    from hicmd_tf.runs.initial import refuse_other_weights
    from hicmd_tf.training.experiment import prepare
    from hicmd_tf.training.run import train

    if cluster().workers > 1:
        raise UserError(f"TF_CONFIG names {cluster().workers} workers: a run is repeated by one process, unset it")
    path, end = original.folder.path, original.provenance["steps"]["end"]
    last = original.folder.checkpoint()
    if last.step != end:
        raise UserError(
            f"{path} has its figures of step {end}, but its newest whole checkpoint is {last.path}: there is nothing "
            f"to compare with"
        )
    refuse_other_weights(original.folder, config)
    stages = _stages(original, config)
    experiment = prepare(stages[0][0])
    ended = with_values(config, {change.setting: change.after for change in original.changes})
    now = provenance(ended, experiment.data, with_origin([], config), 0, end)
    for line in differences(original.provenance, now):
        warnings.warn(line, stacklevel=1)
    refuse_other_pictures(original.provenance["data_sha256"], now["data_sha256"], path)

    def mark(start: int) -> Sequence["EachStep"]:
        """When training begins: what is no repetition is not compared."""
        write_json(folder.reproduction, {"verdict": "not finished"})
        return ()

    for number, (stage, changes) in enumerate(stages):
        found = newest(folder.checkpoints)
        ends = stage.training.steps == end  # then it is evaluated, too
        if ends or found is None or found.step < stage.training.steps:
            train(stage, folder, True, None if number else experiment, mark, changes)
    comparison = compare(original.folder, folder)
    write_json(folder.reproduction, comparison.as_json())
    return comparison


def _stages(original: Original, config: Config) -> list[tuple[Config, dict[str, Any]]]:
    """The stages of a run's training, in their order: the configuration that it began with, with steps up to the next
    change or the end, and the settings that change as the stage begins."""
    values: dict[int, dict[str, Any]] = {0: {}}
    for change in sorted(original.changes):
        values.setdefault(change.step, {})[change.setting] = change.after
    begun = with_values(config, values.pop(0))  # what changed before the first step might as well have been given
    ends = [*values, config.training.steps]
    configs = [with_values(begun, {"training.steps": end}) for end in ends]
    return list(zip(configs, [{}, *values.values()], strict=True))
