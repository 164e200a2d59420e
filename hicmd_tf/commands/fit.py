"""`hicmd fit`: trains a configuration into a run folder, and evaluates it."""

import argparse
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hicmd_tf.arguments import Parser, add_minutes
from hicmd_tf.config import Config, with_values
from hicmd_tf.config.command_line import parse
from hicmd_tf.config.settings import read_changes
from hicmd_tf.config.validation import remarks
from hicmd_tf.data.datasets import refuse_unfit
from hicmd_tf.errors import UserError, limited, notice, stop
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.initial import source_of
from hicmd_tf.startup import BACKEND, choose_engine

SHORT = {"steps": "training.steps", "engine": "training.engine", "initialise": "training.initialise"}


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, trains, prints the figures."""
    config, options = parse("hicmd fit", __doc__ or "", arguments, _options, SHORT)
    with limited(options.minutes):
        _fit(arguments, config, options)


def _fit(arguments: Sequence[str], config: Config, options: argparse.Namespace) -> None:
    changes = read_changes(options.change or [])
    if changes and not options.resume:
        raise UserError("--change is for a run that goes on with --resume: begin one with --KEY VALUE")
    go_on = f"go on with the same command{'' if options.resume else ' and --resume'}"
    if options.trials is not None:
        if changes:
            raise UserError("--change is for one run: give it with --run and --data.trial of one trial, not --trials")
        _train_all(arguments, config, options, go_on)
        return
    run = RunFolder(Path(options.run))
    now = config
    if not os.environ.get("TF_CONFIG"):  # TensorFlow takes seconds, and so may initial weights: mistakes come first
        now = run.check(config, options.resume, changes)
        if not run.config.exists():
            source_of(now)
    refuse_unfit(now)
    choose_engine(config.training.engine)
    from hicmd_tf.training.apart import end_with_parent

    end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))  # after the iteration, with a checkpoint
    from hicmd_tf.engines.chosen import cluster, device_in_use, drawbacks, set_up
    from hicmd_tf.runs.metrics import shown, size
    from hicmd_tf.training.run import Interrupted, assist, train

    set_up(config)  # before a device is asked for: then engines start
    try:
        print(f"training on {device_in_use(config)}", file=sys.stderr)
        for line in drawbacks(config):
            warnings.warn(line, stacklevel=1)
        for told in remarks(config):
            notice(told)
        if not cluster().is_chief:
            assist(with_values(config, changes))
            return
        metrics = train(config, run, options.resume, changes=changes)
    except Interrupted as interrupted:
        stop(str(interrupted), go_on)
    except KeyboardInterrupt:
        stop("stopped", go_on)
    print(shown(metrics))
    if not options.no_report:
        _report(run.path, config.training.engine)
    elif (run.path / "report.html").exists():
        print(f"report.html is of an earlier state: hicmd report --run {run.path} makes it again")
    print(f"{size(metrics)}; all of it in {options.run}")


def _report(run: Path, engine: str) -> None:
    """Writes the run's report. The run is done: what keeps a report from being made is a warning, no failure."""
    if engine != "tensorflow":  # which opens runs; a process has one engine
        _report_apart(run)
        return
    from hicmd_tf.runs.opened import OpenedRun
    from hicmd_tf.visualize.figures import all_figures
    from hicmd_tf.visualize.report import write_report

    try:
        opened = OpenedRun(run)
        print(write_report(opened, all_figures(opened)))
    except UserError as error:
        warnings.warn(f"no report: {error}", stacklevel=1)
    except KeyboardInterrupt:
        stop(f"no report; the run is whole: hicmd report --run {run}")


def _report_apart(run: Path) -> None:
    """The same, in a process that computes with TensorFlow."""
    again = [sys.executable, "-m", "hicmd_tf", "report", "--run", str(run)]
    try:
        done = subprocess.run(again, env={**os.environ, BACKEND: "tensorflow"}, check=False)
    except KeyboardInterrupt:
        stop(f"no report; the run is whole: hicmd report --run {run}")
    if done.returncode:
        warnings.warn(f"no report: hicmd report --run {run} makes it", stacklevel=1)


def _options(parser: Parser) -> None:
    add = parser.add_argument
    add("--run", required=True, metavar="DIR", help="run folder to make; everything goes in there")
    add(
        "--resume",
        action="store_true",
        help="go on with the run in DIR from its newest checkpoint; begin it when there is none",
    )
    add(
        "--change",
        action="append",
        metavar="KEY=VALUE",
        help="with --resume: another value of a learning rate or a loss weight from here on; once for each of them",
    )
    add("--no-report", action="store_true", help="leave out report.html, which takes a minute or two")
    add_minutes(parser)
    add(
        "--trials",
        metavar="N-M",
        help="several splits one after another, such as 1-10, each in DIR/trial_N, and their mean and deviation in DIR",
    )


def _train_all(arguments: Sequence[str], config: Config, options: Any, go_on: str) -> None:
    """Every trial in a run folder and a process of its own, then their mean. --resume leaves out what is done."""
    from hicmd_tf.retrieval.report import as_text
    from hicmd_tf.training.trials import chosen, train_trials

    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for option in ("--trials", "--run", "--data.trial", "--minutes"):
        own.add_argument(option, dest=option)
    found, common = own.parse_known_args(arguments)
    if vars(found)["--data.trial"] is not None:
        raise UserError(f"--trials {options.trials} and --data.trial both say which split: leave one of them out")
    fit = [sys.executable, "-m", "hicmd_tf", "fit", *common]
    rows = train_trials(fit, config, chosen(config, options.trials), Path(options.run), options.resume, go_on)
    print(as_text(rows))
    print(f"verification, and the threshold, are of each trial: {options.run}/trial_N/metrics.json, or hicmd evaluate")
