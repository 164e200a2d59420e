"""`hicmd fit`: trains a configuration into a run folder, and evaluates it."""

import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hicmd_tf.config import Config, with_values
from hicmd_tf.config.changing import read_changes
from hicmd_tf.config.command_line import parse
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError, stop
from hicmd_tf.provenance.origin import configuration_hash, read_provenance
from hicmd_tf.runs.folder import RunFolder


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, trains, prints the figures."""
    config, options = parse("hicmd fit", __doc__ or "", arguments, _options, {"steps": "training.steps"})
    changes = read_changes(options.change or [])
    if changes and not options.resume:
        raise UserError("--change is for a run that goes on with --resume: begin one with --KEY VALUE")
    if options.trials is not None:
        if changes:
            raise UserError(
                "--change is for one run: give it with the --run and --data.trial of one trial, not --trials"
            )
        _train_all(list(arguments), config, options)
        return
    from hicmd_tf.engines.tensorflow.devices import cluster  # TensorFlow takes seconds: mistakes come first
    from hicmd_tf.training.run import Interrupted, assist, shown, train

    try:
        if not cluster().is_chief:
            assist(with_values(config, changes))
            return
        metrics = train(config, RunFolder(Path(options.run)), options.resume, changes=changes)
    except Interrupted as interrupted:
        stop(f"{interrupted}; {_go_on(options)}")
    except KeyboardInterrupt:
        stop(f"stopped; {_go_on(options)}")
    print(shown(metrics))
    if not options.no_report:
        _report(Path(options.run))
    print(
        f"{metrics['identities']} {metrics['split']} identities, {metrics['steps']} steps; all of it in {options.run}"
    )


def _go_on(options: Any) -> str:
    """The command that does."""
    return f"go on with the same command{'' if options.resume else ' and --resume'}"


def _report(run: Path) -> None:
    """Writes the run's report. The run is done: what keeps a report from being made is a warning, no failure."""
    from hicmd_tf.runs.trained_run import TrainedRun
    from hicmd_tf.visualize.figures import all_figures
    from hicmd_tf.visualize.report import write_report

    try:
        opened = TrainedRun.open(run)
        print(write_report(opened, all_figures(opened)))
    except UserError as error:
        warnings.warn(f"no report: {error}", stacklevel=1)
    except KeyboardInterrupt:
        stop(f"no report; the run is whole: hicmd report --run {run}")


def _options(parser: Any) -> None:
    parser.add_argument("--run", required=True, metavar="DIR", help="run folder to make; everything goes in there")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in DIR from its newest checkpoint; begin it when there is none",
    )
    parser.add_argument(
        "--change",
        action="append",
        metavar="KEY=VALUE",
        help="with --resume: another value of a learning rate or a loss weight from here on; once for each of them",
    )
    parser.add_argument("--no-report", action="store_true", help="leave out report.html, which takes a minute or two")
    parser.add_argument(
        "--trials",
        metavar="N-M",
        help="several splits one after another, such as 1-10, each in DIR/trial_N, and their mean and deviation in DIR",
    )


def _train_all(arguments: list[str], config: Config, options: Any) -> None:
    """Every trial in a run folder and a process of its own, then their mean. --resume leaves out what is done."""
    from hicmd_tf.files import read_json, write_json, write_text
    from hicmd_tf.retrieval.evaluation import Row, over_trials
    from hicmd_tf.retrieval.report import as_csv, as_markdown, as_text

    run, trials = Path(options.run), _trials(arguments, config, options.trials)
    if run.is_file() or (run / "config.yaml").exists():
        raise UserError(f"{run} holds a run, or is a file: name another folder for the trials with --run")
    configs = {trial: with_values(config, {"data.trial": trial}) for trial in trials}
    left = [
        trial
        for trial, of_trial in configs.items()  # all are looked at before one is trained
        if not _is_done(RunFolder(run / f"trial_{trial}"), of_trial, options.resume)
    ]
    common = _without(_without(arguments, "--trials"), "--run")
    for trial in left:
        folder = str(run / f"trial_{trial}")
        command = [sys.executable, "-m", "hicmd_tf", "fit", *common, "--data.trial", str(trial), "--run", folder]
        try:
            status = _run(command)
        except KeyboardInterrupt:
            stop(f"stopped in trial {trial}; {_go_on(options)}")
        if status < 0:
            raise UserError(f"trial {trial} was ended by {signal.Signals(-status).name}; {_go_on(options)}")
        if status:
            sys.exit(status)
    rows = [[Row(**row) for row in read_json(run / f"trial_{t}" / "metrics.json")["settings"]] for t in trials]
    table = over_trials(rows)
    write_json(run / "evaluation.json", {"trials": trials, "rows": [row._asdict() for row in table]})
    write_text(run / "evaluation.csv", as_csv(table))
    write_text(run / "evaluation.md", as_markdown(table))
    print(as_text(table))


def _trials(arguments: list[str], config: Config, text: str) -> list[int]:
    """Which trials to train. Raises UserError when the data set has one split, or the command can't mean several."""
    name = config.data.name
    if DATA_SETS[name].trials == 1:
        raise UserError(f"--trials {text}: {name} has one split: leave --trials out")
    if any(argument.partition("=")[0] == "--data.trial" for argument in arguments):
        raise UserError(f"--trials {text} and --data.trial both say which split: leave one of them out")
    if os.environ.get("TF_CONFIG"):
        raise UserError(f"--trials {text}: TF_CONFIG is for one run of several workers: unset it, or train each trial")
    return _numbers(text)


def _is_done(folder: RunFolder, config: Config, resume: bool) -> bool:
    """Whether a trial has its figures, by all steps of this configuration. Raises UserError, which names what differs,
    for a folder that this configuration can't go on in."""
    now = folder.check(config, resume)
    try:
        found = read_provenance(folder.metrics)
    except UserError:
        return False  # none yet, damaged, or of an earlier version: evaluated again, with --resume
    return bool(
        found["configuration_sha256"] == configuration_hash(now) and found["steps"]["end"] == now.training.steps
    )


def _run(command: Sequence[str]) -> int:
    """Runs one trial's process and returns its exit code; when this one is stopped, it is stopped with a checkpoint."""
    process = subprocess.Popen(command)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise


def _numbers(text: str) -> list[int]:
    """1-3,7 as [1, 2, 3, 7]. Raises UserError for anything else."""
    found = [re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part.strip()) for part in text.split(",")]
    spans = [range(int(span[1]), int(span[2] or span[1]) + 1) for span in found if span]
    if not all(found) or not all(spans):
        raise UserError(f"--trials is {text!r}: expected numbers or spans of them, such as 1-10 or 1,4,7")
    return sorted({number for span in spans for number in span})


def _without(arguments: list[str], option: str) -> list[str]:
    """The command line without an option and its value."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if not skip and argument != option and not argument.startswith(f"{option}="):
            kept.append(argument)
        skip = not skip and argument == option
    return kept
