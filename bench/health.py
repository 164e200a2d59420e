"""`python -m bench.health --run DIR`: whether a long run grows, in memory, in time, in open files, as a picture.

A whole run as hicmd fit makes it, logs, pictures, evaluations and checkpoints included, with any configuration and
settings. Every hundred iterations one point: the memory that the process has taken (not the files that it maps), the
processor time of an iteration and of an evaluation with its picture grid, and how many files are open. Times are
divided by that of a yardstick, the same matrix products at every point: what else the machine does slows both. Ends
with exit code 1 when something grew.
"""

import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from hicmd_tf.arguments import writable
from hicmd_tf.config.command_line import parse
from hicmd_tf.errors import UserError, run_command

EVERY = 100  # iterations of one point
LEAST = 8  # points of a series in which growth can be seen
SIDE, PRODUCTS, ROUNDS = 512, 8, 5  # of the yardstick
TOLERANCE = 0.02  # growth, as a share, that is none
UNITS = {
    "memory": "GiB of memory",
    "iteration": "yardsticks of processor time, an iteration",
    "evaluation": "yardsticks of processor time, an evaluation",
    "files": "open files",
}
Series = dict[str, list[tuple[int, float]]]


class Growth(NamedTuple):
    """Medians of the second and of the last quarter of a run, and the distance of the second's quartiles."""

    before: float
    after: float
    spread: float

    @property
    def grew(self) -> bool:
        """Whether the last quarter is above the second by more than its spread and `TOLERANCE`."""
        return self.after - self.before > max(self.spread, TOLERANCE * self.before)


def growth(points: Sequence[tuple[int, float]]) -> Growth:
    """Of at least eight points in their order. The first quarter warms up: graphs, caches, the allocator."""
    values = [value for _, value in points]
    quarter = len(values) // 4
    second, last = values[quarter : 2 * quarter], values[-quarter:]
    low, _, high = quantiles(second, n=4)
    return Growth(median(second), median(last), high - low)


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains, prints a table, draws the picture, and writes the points as JSON when asked."""
    config, options = parse("python -m bench.health", __doc__ or "", arguments, _options, {"steps": "training.steps"})
    every = max(EVERY, config.training.picture_every)
    if config.training.steps < LEAST * every:
        raise UserError(
            f"training.steps is {config.training.steps}: expected {LEAST * every}, for {LEAST} points or more"
        )
    from hicmd_tf.files import write_json
    from hicmd_tf.runs.folder import RunFolder
    from hicmd_tf.training.run import train

    series: Series = {name: [] for name in (*UNITS, "yardstick")}
    train(config, RunFolder(options.run), watch=lambda start: [_pulse(start, config.training.picture_every, series)])
    found = {name: growth(series[name]) for name in UNITS}
    print(as_text(found))
    draw(series, options.out)
    if options.json:
        write_json(options.json, {"steps": config.training.steps, **series})
    sys.exit(int(any(of.grew for of in found.values())))


def _options(parser: Any) -> None:
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="run folder to make")
    parser.add_argument("--out", type=writable, default=Path("docs/health.png"), metavar="FILE", help="the picture")
    parser.add_argument("--json", type=writable, metavar="FILE", help="write the points there")


def _pulse(start: int, picture_every: int, series: Series) -> Any:
    """A callback that adds to the series; it comes after pictures and evaluations, and before checkpoints."""
    from hicmd_tf.training.callbacks import EachStep, Logs

    class Pulse(EachStep):
        """Measures the process that it is in."""

        def __init__(self) -> None:
            super().__init__(start)
            self.before = time.process_time()
            self.times: list[float] = []
            self.yardstick = yardstick_seconds()

        def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
            self.before = time.process_time()

        def on_step(self, step: int, logs: Logs) -> None:
            seconds = time.process_time() - self.before
            self.times += [] if step % picture_every == 0 else [seconds]
            if step % picture_every == 0:
                series["evaluation"].append((step, seconds / self.yardstick))
            if step % EVERY == 0:
                self.yardstick = yardstick_seconds()
                series["yardstick"].append((step, self.yardstick))
                series["iteration"].append((step, median(self.times) / self.yardstick))
                series["memory"].append((step, taken()))
                series["files"].append((step, float(len(os.listdir("/proc/self/fd")))))
                self.times = []

    return Pulse()


def taken() -> float:
    """GiB of memory that this process has taken for itself and holds now; Linux only."""
    line = re.search(r"^RssAnon:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    if line is None:
        raise UserError("/proc/self/status has no RssAnon: expected Linux 4.5 or newer")
    return int(line[1]) / 2**20


def yardstick_seconds() -> float:
    """Processor time of some matrix products, in the middle of several rounds."""
    import numpy as np

    matrix = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    rounds = []
    for _ in range(ROUNDS):
        before = time.process_time()
        for _ in range(PRODUCTS):
            matrix @ matrix
        rounds.append(time.process_time() - before)
    return median(rounds)


def as_text(found: dict[str, Growth]) -> str:
    """A table of all series."""
    lines = [f"{'':<44}{'second quarter':>16}{'last quarter':>14}{'spread':>10}"]
    for name, of in found.items():
        verdict = "grew" if of.grew else "did not grow"
        lines.append(f"{UNITS[name]:<44}{of.before:>16.4f}{of.after:>14.4f}{of.spread:>10.4f}  {verdict}")
    return "\n".join(lines)


def draw(series: Series, path: Path) -> None:
    """The series over the iterations, as a PNG file."""
    from matplotlib.figure import Figure

    from hicmd_tf.files import replacing

    figure = Figure(figsize=(10, 6), layout="constrained")
    for (name, label), axes in zip(UNITS.items(), figure.subplots(2, 2, sharex=True).flat, strict=True):
        steps, values = zip(*series[name], strict=True)
        axes.plot(steps, values, ".", markersize=3, color="tab:blue")
        axes.set_title(label, fontsize=10)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    figure.supxlabel("iterations")
    with replacing(path) as file:
        figure.savefig(file, dpi=110, format="png", metadata={"Software": None})


if __name__ == "__main__":
    run_command(main)
