"""Several splits of a data set, one run each, one after another, and their mean."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.config import Config, with_values
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import EXIT_CODE, UserError
from hicmd_tf.files import read_json
from hicmd_tf.retrieval.evaluation import Row, over_trials
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.origin import configuration_hash, read_provenance
from hicmd_tf.runs.tables import is_run, write_rows
from hicmd_tf.training.apart import Job, train_apart


def chosen(config: Config, text: str) -> list[int]:
    """Which trials a text such as 1-3,7 means. Raises UserError for another one, and when the data set has one split or
    the environment is for one run."""
    name = config.data.name
    if DATA_SETS[name].trials == 1:
        raise UserError(f"--trials {text}: {name} has one split: leave --trials out")
    if os.environ.get("TF_CONFIG"):
        raise UserError(f"--trials {text}: TF_CONFIG is for one run of several workers: unset it, or train each trial")
    found = [re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part.strip()) for part in text.split(",")]
    spans = [range(int(span[1]), int(span[2] or span[1]) + 1) for span in found if span]
    if not all(found) or not all(spans):
        raise UserError(f"--trials is {text!r}: expected numbers or spans of them, such as 1-10 or 1,4,7")
    return sorted({number for span in spans for number in span})


def train_trials(
    fit: Sequence[str], config: Config, trials: Sequence[int], out: Path, resume: bool, advice: str
) -> list[Row]:
    """Trains every trial in a process of its own, and writes the table of their means.

    Args:
        fit: Command that trains, to which a trial and its run folder are added.
        config: What is trained, but for the trial.
        trials: Numbers of the splits.
        out: Folder to make, with the runs trial_1, trial_2 ..
        resume: Whether trials that are done are left out, and begun ones go on.
        advice: How to go on where this stops.

    Raises:
        UserError: When a trial's folder is of another configuration, before any is trained, and when one is killed.
    """
    if out.is_file() or is_run(out):
        raise UserError(f"{out} holds a run, or is a file: name another folder for the trials with --run")
    runs = {trial: RunFolder(out / f"trial_{trial}") for trial in trials}
    configs = {trial: with_values(config, {"data.trial": trial}) for trial in trials}
    for trial in [trial for trial, run in runs.items() if not is_done(run, configs[trial], resume)]:
        command = [*fit, "--data.trial", str(trial), "--run", str(runs[trial].path)]
        if train_apart([Job(command, f"trial {trial}", runs[trial])], advice):
            sys.exit(EXIT_CODE)  # it has said why
    table = over_trials([[Row(**row) for row in read_json(run.metrics)["settings"]] for run in runs.values()])
    write_rows(table, out, trials=list(trials))
    return table


def is_done(folder: RunFolder, config: Config, resume: bool) -> bool:
    """Whether a run has its figures, by all steps of this configuration. Raises UserError, which names what differs,
    for a folder that this configuration can't go on in."""
    now = folder.check(config, resume)
    try:
        found = read_provenance(folder.metrics)
    except UserError:
        return False  # none yet, or damaged: evaluated again, with --resume
    ended = found["configuration_sha256"], found["steps"]["end"]
    return ended == (configuration_hash(now), now.training.steps)
