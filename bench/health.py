"""`python -m bench.health --run DIR`: whether a long run grows, in memory, in time, in open files.

A whole run as hicmd fit makes it, logs, pictures, evaluations and checkpoints included, with any configuration and
settings. Every hundred iterations one point: the memory that the process has taken (not the files that it maps), the
processor time of an iteration and of an evaluation with its picture grid, and how many files are open. Times are
divided by that of a yardstick, the same matrix product at every point: what else the machine does slows both. Ends
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

from bench.measuring import keep, save_plot, yardstick
from hicmd_tf.arguments import writable
from hicmd_tf.config.command_line import parse
from hicmd_tf.errors import UserError, run_command
from hicmd_tf.tables import as_text

EVERY = 100  # iterations of one point
LEAST = 8  # points of a series in which growth can be seen
SIDE = 2048  # of the yardstick
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
    """Trains, prints a table, draws the points and writes them as JSON when asked."""
    config, options = parse("python -m bench.health", __doc__ or "", arguments, _options, {"steps": "training.steps"})
    least = LEAST * max(EVERY, config.training.picture_every)
    if config.training.steps < least:
        raise UserError(f"training.steps is {config.training.steps}: expected {least}, for {LEAST} points or more")
    from hicmd_tf.runs.folder import RunFolder
    from hicmd_tf.training.run import train

    series: Series = {name: [] for name in UNITS}
    train(config, RunFolder(options.run), watch=lambda start: [_pulse(start, config.training.picture_every, series)])
    found = {name: growth(points) for name, points in series.items()}
    rows = [[UNITS[name], *(f"{value:.4f}" for value in of), "yes" if of.grew else "no"] for name, of in found.items()]
    print(as_text([["", "second quarter", "last quarter", "spread", "grew"], *rows]))
    if options.out:
        draw(series, options.out)
    keep(options.json, {"steps": config.training.steps, **series})
    sys.exit(int(any(of.grew for of in found.values())))


def _options(parser: Any) -> None:
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="run folder to make")
    parser.add_argument("--out", type=writable, metavar="FILE", help="draw the points there, a PNG")
    parser.add_argument("--json", type=writable, metavar="FILE", help="write the points there")


def _pulse(start: int, picture_every: int, series: Series) -> Any:
    """A callback that adds to the series; it comes after pictures and evaluations, and before checkpoints."""
    from hicmd_tf.training.callbacks import EachStep, Logs

    class Pulse(EachStep):
        """Measures the process that it is in."""

        def __init__(self) -> None:
            super().__init__(start)
            self.times: list[float] = []
            self.yardstick = yardstick(SIDE)[1]

        def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
            self.before = time.process_time()

        def on_step(self, step: int, logs: Logs) -> None:
            seconds = time.process_time() - self.before
            if step % picture_every == 0:
                series["evaluation"].append((step, seconds / self.yardstick))
            else:
                self.times.append(seconds)
            if step % EVERY == 0:
                self.yardstick = yardstick(SIDE)[1]
                series["iteration"].append((step, median(self.times) / self.yardstick))
                series["memory"].append((step, taken()))
                series["files"].append((step, float(len(os.listdir("/proc/self/fd")))))
                self.times = []

    return Pulse()


def taken() -> float:
    """GiB of memory that this process has taken for itself and holds now; Linux only."""
    (found,) = re.findall(r"^RssAnon:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found) / 2**20


def draw(series: Series, path: Path) -> None:
    """The series over the iterations, as a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    for (name, label), axes in zip(UNITS.items(), figure.subplots(2, 2, sharex=True).flat, strict=True):
        axes.plot(*zip(*series[name], strict=True), ".", markersize=3, color="tab:blue")
        axes.set_title(label, fontsize=10)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    figure.supxlabel("iterations")
    save_plot(figure, path)


if __name__ == "__main__":
    run_command(main)
