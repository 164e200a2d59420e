"""`python -m hicmd_tf.fit`: trains a configuration into a run folder, and evaluates it."""

import re
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hicmd_tf.config import with_values
from hicmd_tf.config.changing import read_changes
from hicmd_tf.config.command_line import parse
from hicmd_tf.errors import UserError, run_command, stop


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, trains, prints the figures."""
    config, options = parse("hicmd_tf.fit", __doc__ or "", arguments, _options, {"steps": "training.steps"})
    changes = read_changes(options.change or [])
    if changes and not options.resume:
        raise UserError("--change is for a run that goes on with --resume: begin one with --KEY VALUE")
    if options.trials is not None:
        _train_all(list(sys.argv[1:] if arguments is None else arguments), options)
        return
    from hicmd_tf.training.devices import cluster  # TensorFlow takes seconds: mistakes come first
    from hicmd_tf.training.run import Interrupted, assist, shown, train
    from hicmd_tf.training.run_folder import RunFolder

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
    from hicmd_tf.visualize.figures import all_figures
    from hicmd_tf.visualize.report import write_report
    from hicmd_tf.visualize.trained_run import TrainedRun

    try:
        opened = TrainedRun.open(run)
        print(write_report(opened, all_figures(opened)))
    except UserError as error:
        warnings.warn(f"no report: {error}", stacklevel=1)
    except KeyboardInterrupt:
        stop(f"no report; the run is whole: python -m hicmd_tf.visualize --run {run} report")


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


def _train_all(arguments: list[str], options: Any) -> None:
    """Every trial in a run folder and a process of its own, then their mean. --resume leaves out what is done."""
    from hicmd_tf.files import read_json, write_json, write_text
    from hicmd_tf.retrieval.evaluation import Row, as_csv, as_markdown, as_text, over_trials

    run, trials = Path(options.run), _numbers(options.trials)
    common = _without(_without(arguments, "--trials"), "--run")
    for trial in trials:
        folder = run / f"trial_{trial}"
        if options.resume and (folder / "metrics.json").is_file():
            continue
        command = [sys.executable, "-m", "hicmd_tf.fit", *common, "--data.trial", str(trial), "--run", str(folder)]
        status = _run(command)
        if status:
            sys.exit(status)
    rows = [[Row(**row) for row in read_json(run / f"trial_{t}" / "metrics.json")["settings"]] for t in trials]
    table = over_trials(rows)
    write_json(run / "evaluation.json", {"trials": trials, "rows": [row._asdict() for row in table]})
    write_text(run / "evaluation.csv", as_csv(table))
    write_text(run / "evaluation.md", as_markdown(table))
    print(as_text(table))


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
    spans = [re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part.strip()) for part in text.split(",")]
    numbers = [n for span in spans if span for n in range(int(span[1]), int(span[2] or span[1]) + 1)]
    if not all(spans) or not numbers:
        raise UserError(f"--trials is {text!r}: expected numbers or spans of them, such as 1-10 or 1,4,7")
    return sorted(set(numbers))


def _without(arguments: list[str], option: str) -> list[str]:
    """The command line without an option and its value."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if not skip and argument != option and not argument.startswith(f"{option}="):
            kept.append(argument)
        skip = not skip and argument == option
    return kept


if __name__ == "__main__":
    run_command(main)
