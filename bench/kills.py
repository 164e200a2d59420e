"""`python -m bench.kills --run DIR`: kills a run at random moments of its life and resumes it each time, to the end.

Once without interruption, in DIR/whole; then in DIR/killed, where a SIGKILL comes after a random iteration: after a
random time, in which an iteration runs, a picture or a row of a table is made, an evaluation goes on, or in the middle
of writing the next checkpoint; or in the start of a process, or after the last iteration. At the end weights,
optimisers, logs and figures are compared to the last bit. Ends with exit code 1 when anything differs. A configuration
with `training.deterministic` and frequent checkpoints is asked for: a killed process must come further than the one
before.
"""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.measuring import keep
from hicmd_tf.arguments import count, positive, writable
from hicmd_tf.config import dump, with_values
from hicmd_tf.config.command_line import parse
from hicmd_tf.errors import UserError, run_command
from hicmd_tf.tables import as_text

STARTING, WRITING, ENDING = 0.1, 0.2, 0.1  # shares of the kills
START_SECONDS, STEP_SECONDS, END_SECONDS = 30.0, 0.5, 30.0  # over which they are spread after their step
FILES = ("losses.csv", "evaluations.csv", "untrained.json", "identities.json", "pictures/final.png")
POLL = 0.002  # seconds between two looks at the log


class Moment(NamedTuple):
    """When a process is killed: `delay` seconds after the log's row of `step`; after its start where that is 0.
    writing: then as soon as the next checkpoint is being written."""

    step: int
    delay: float
    writing: bool = False


def moments(kills: int, steps: int, checkpoint_every: int, seed: int) -> list[Moment]:
    """Random moments in the order of a run's life, at most one between two checkpoints, so that it gets on."""
    rng = random.Random(seed)
    starting, ending = round(STARTING * kills), round(ENDING * kills)
    spans = steps // checkpoint_every
    middle = kills - starting - ending
    if middle > spans:
        raise UserError(
            f"{middle} kills between {steps} steps with a checkpoint every {checkpoint_every} of them: take "
            f"{middle * checkpoint_every} steps or more, or fewer kills"
        )
    found = [Moment(0, rng.uniform(0, START_SECONDS)) for _ in range(starting)]
    aimed = set(rng.sample(range(middle), round(WRITING * kills)))
    for number, span in enumerate(sorted(rng.sample(range(spans), middle))):
        step = span * checkpoint_every + rng.randint(1, checkpoint_every)
        writing = number in aimed
        found.append(Moment(step, 0.0 if writing else rng.uniform(0, STEP_SECONDS), writing))
    return found + [Moment(steps, rng.uniform(0.5, END_SECONDS)) for _ in range(ending)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs, kills, resumes, compares; prints what was found and writes it as JSON when asked."""
    config, options = parse("python -m bench.kills", __doc__ or "", arguments, _options, {"steps": "training.steps"})
    from tqdm import tqdm

    from hicmd_tf.files import write_text

    training = config.training
    planned = moments(options.kills, training.steps, training.checkpoint_every, options.seed_of_kills)
    logged = with_values(config, {"training.log_every": 1})  # by the log's rows the moments are found
    write_text(options.run / "config.yaml", dump(logged))
    whole, killed = options.run / "whole", options.run / "killed"
    _to_the_end(options.run, whole)
    found = [_kill(options.run, killed, moment) for moment in tqdm(planned, unit="kill")]
    _to_the_end(options.run, killed)
    different = compare(whole, killed)
    print(as_text([list(found[0]), *(list(one.values()) for one in found)], ">>>><"))
    print(
        "\n".join(["it differs from the run without interruption:", *different] if different else ["equal to the bit"])
    )
    keep(options.json, {"kills": found, "different": different})
    sys.exit(int(bool(different)))


def _options(parser: Any) -> None:
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="folder to make, for both runs")
    parser.add_argument("--kills", type=positive, default=50, metavar="N", help="how often (default: %(default)s)")
    parser.add_argument("--seed-of-kills", type=count, default=0, metavar="N", help="of the moments")
    parser.add_argument("--json", type=writable, metavar="FILE", help="write what was found there")


def _start(folder: Path, run: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "hicmd_tf", "fit", "--config", str(folder / "config.yaml"), "--run", str(run)]
    with (folder / f"{run.name}.log").open("ab") as log:
        return subprocess.Popen([*command, "--resume", "--no-report"], stdout=log, stderr=log)


def _to_the_end(folder: Path, run: Path) -> None:
    if _start(folder, run).wait():
        raise UserError(f"{run}: the run failed; see {folder / run.name}.log")


def _kill(folder: Path, run: Path, moment: Moment) -> dict[str, Any]:
    """Starts a process and kills it at its moment, or when it has ended by itself, which a late moment allows. What was
    found when it was dead, the last row of the log, whole checkpoints and what was about to be written, by name."""

    def comes() -> bool:
        return moment.writing and not any(run.glob("checkpoints/.step-*"))

    process = _start(folder, run)
    while process.poll() is None and moment.step and last_step(run) < moment.step:
        time.sleep(POLL)
    deadline = time.monotonic() + moment.delay
    while process.poll() is None and (time.monotonic() < deadline or comes()):
        time.sleep(POLL)
    process.send_signal(signal.SIGKILL)
    if process.wait() not in (0, -signal.SIGKILL):
        raise UserError(f"{run}: a resumed run failed; see {folder / run.name}.log")
    return {
        "after step": moment.step,
        "seconds": round(moment.delay, 2),
        "reached": last_step(run),
        "checkpoints": len(list(run.glob("checkpoints/step-*"))),
        "left": sorted(str(file.relative_to(run)) for file in run.rglob(".*.tmp")),
    }


def last_step(run: Path) -> int:
    """The last whole row of a run's log; 0 when there is none."""
    from hicmd_tf.runs.step_table import read_steps

    log = run / "losses.csv"
    rows = read_steps(log).rows if log.is_file() else []
    return int(rows[-1][0]) if rows else 0


def compare(one: Path, other: Path) -> list[str]:
    """Differences between two run folders, in words: tensors of the last checkpoints, logs, figures, pictures."""
    from hicmd_tf.provenance.comparison import compare as compare_runs
    from hicmd_tf.runs.folder import RunFolder

    compared = compare_runs(RunFolder(one), RunFolder(other))
    rows = [row for row in (compared.losses, compared.weights, *compared.figures) if row.difference]
    files = [name for name in FILES if (one / name).read_bytes() != (other / name).read_bytes()]
    return [*(f"{row.what}: {row.words}" for row in rows), *(f"{name}: other bytes" for name in files)]


if __name__ == "__main__":
    run_command(main)
