"""What watches a run: logs, pictures, checkpoints, the progress bar, interruption, numbers that are not finite."""

import math
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from tqdm import tqdm

from hicmd_tf.engines.chosen import LastGood
from hicmd_tf.errors import UserError
from hicmd_tf.files import write_text
from hicmd_tf.pictures.sheet import save_png
from hicmd_tf.runs.checkpoints import Checkpoints
from hicmd_tf.runs.step_table import STEP, StepTable, as_text, read_steps

Logs = dict[str, float]

NAMED = 3  # losses that an error names


class EachStep(keras.callbacks.Callback):
    """A callback that counts the run's iterations, also those before a resumption, from 1."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self.step = start

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.step += 1
        self.on_step(self.step, logs or {})

    def on_step(self, step: int, logs: Logs) -> None:
        """Called after each iteration."""

    def memory(self) -> dict[str, Any]:
        """What it must know of the iterations so far to go on as if there had been no interruption; JSON can hold
        it."""
        return {}

    def remember(self, memory: dict[str, Any]) -> None:
        """Takes what `memory` gave at the step where the run goes on."""


Memories = dict[str, dict[str, Any]]


def memories(watching: Sequence[EachStep]) -> Memories:
    """What the callbacks must know to go on, by the names of their classes."""
    return {type(one).__name__: memory for one in watching if (memory := one.memory())}


def remember(watching: Sequence[EachStep], memories: Memories) -> None:
    """Gives each callback its own. An older checkpoint has none: what they reckon then begins at its step."""
    for one in watching:
        if type(one).__name__ in memories:
            one.remember(memories[type(one).__name__])


class NotFiniteError(UserError):
    """A loss or a weight is no longer a number."""


Report = Callable[[int, Logs, list[str]], str]
"""Takes the step, its losses and the weights that it spoilt; says what becomes of them, and what to do."""


def start_again(step: int, losses: Logs, spoilt: list[str]) -> str:
    """The advice of who writes no run folder."""
    return "lower the learning rates (optimisers.*_rate) and start again"


class StopAtNonFinite(EachStep):
    """Ends a run at the step in which a loss, or by its gradient a weight, is non-finite. The model then holds
    again what it held before that step."""

    def __init__(self, start: int, report: Report = start_again) -> None:
        super().__init__(start)
        self.report = report

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.good = LastGood(self.model)

    def on_step(self, step: int, logs: Logs) -> None:
        terms = [name for name, value in logs.items() if not math.isfinite(value)]
        spoilt = self.good.spoilt()
        if not terms and not spoilt:
            self.good.keep()
            return
        self.good.restore()
        raise NotFiniteError(f"step {step}: {_said(terms, spoilt, logs)}; {self.report(step, logs, spoilt)}")


def _said(terms: list[str], spoilt: list[str], logs: Logs) -> str:
    """What went wrong in words. Sums are named only when nothing that they are made of is."""
    named = [name for name in terms if not name.endswith("_total")] or terms
    losses = [f"{name} became {logs[name]}" for name in named[:NAMED]]
    more = [f"{len(named) - NAMED} more losses too"] * (len(named) > NAMED)
    gradients = [f"the gradients would spoil {len(spoilt)} weights, the first is {spoilt[0]}"] * bool(spoilt)
    return ", ".join([*losses, *more, *gradients])


class GrowingTable:
    """A CSV file with a row a step, and the same numbers in TensorBoard.

    A run that goes on after step `start` makes the rows after it again: they are dropped. Lines that can't be read are
    cut, which a warning says. Columns go by their names: those that the file does not have yet, as one of an earlier
    version of hicmd_tf, come last, and its earlier rows have nothing there. Raises UserError when the file does not say
    which columns its rows have.
    """

    def __init__(self, start: int, path: Path, tensorboard: Path, prefix: str = "") -> None:
        self.path = path
        self.prefix = prefix
        self.columns: list[str] = []
        if path.is_file():
            self._go_on(start)
        self.writer = tf.summary.create_file_writer(str(tensorboard))

    def _go_on(self, start: int) -> None:
        table = read_steps(self.path) if start else StepTable([], [], [])
        if table.damaged and not table.columns and len(table.damaged) > 1:
            raise UserError(f"{self.path}: {table.flaw}: put it right, or move the file away to begin another table")
        if table.damaged:
            warnings.warn(f"{self.path}: {table.flaw}: left out from here on", stacklevel=1)
        self.columns = table.columns
        write_text(self.path, as_text(table.columns, [row for row in table.rows if int(row[0]) <= start]))

    def append(self, step: int, values: Logs) -> None:
        """Writes one row. Raises UserError when the disk refuses."""
        cells = {STEP: str(step), **{name: f"{value:.7g}" for name, value in values.items()}}
        try:
            if not self.path.exists() or not self.path.stat().st_size:
                self.columns = []
            missing = [name for name in cells if name not in self.columns]
            if self.columns and missing:
                rows = [[*row, *[""] * len(missing)] for row in read_steps(self.path).rows]
                write_text(self.path, as_text([*self.columns, *missing], rows))
            head = not self.columns
            self.columns = [*self.columns, *missing]
            with self.path.open("a", newline="", encoding="utf-8") as file:
                row = [cells.get(name, "") for name in self.columns]
                file.write(as_text(self.columns if head else [], [row]))
        except OSError as error:
            raise UserError(f"{self.path}: can't be written ({error.strerror}); free space, then --resume") from error
        with self.writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(f"{self.prefix}{name}", value)

    def flush(self) -> None:
        """Brings what TensorBoard shows up to date."""
        self.writer.flush()

    def close(self) -> None:
        """Gives back TensorBoard's file; no row comes any more."""
        self.writer.close()


class Means(EachStep):
    """Means of what is logged over every `every` iterations; a resumption makes no difference to them."""

    def __init__(self, start: int, every: int) -> None:
        super().__init__(start)
        self.every = every
        self.sums: Logs = {}
        self.count = 0

    def memory(self) -> dict[str, Any]:
        return {"sums": self.sums, "count": self.count}

    def remember(self, memory: dict[str, Any]) -> None:
        self.sums, self.count = memory["sums"], memory["count"]

    def on_step(self, step: int, logs: Logs) -> None:
        for name, value in {**logs, **self.further()}.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value)
        self.count += 1
        if step % self.every == 0:
            self.on_means(step, {name: total / self.count for name, total in self.sums.items()})
            self.sums, self.count = {}, 0

    def further(self) -> Logs:
        """What else of an iteration is to be averaged."""
        return {}

    def on_means(self, step: int, means: Logs) -> None:
        """Called after the last of `every` iterations; `count` says how many they were."""


class LossTable(Means):
    """losses.csv and TensorBoard: every `every` iterations a row, each value the mean since the row before.

    A resumed run's table equals that of a run without interruption.
    """

    def __init__(self, start: int, every: int, path: Path, tensorboard: Path) -> None:
        super().__init__(start, every)
        self.table = GrowingTable(start, path, tensorboard)

    def on_means(self, step: int, means: Logs) -> None:
        self.table.append(step, means)

    def further(self) -> Logs:
        """The learning rates."""
        optimisers = {
            "generator": self.model.optimizer,
            "discriminator": self.model.discriminator_optimiser,
            "feature": self.model.feature_optimiser,
        }
        return {f"{name}_rate": float(optimiser.learning_rate) for name, optimiser in optimisers.items()}

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.table.close()


class PictureGrid(EachStep):
    """A picture grid every `every` iterations, as a file and in TensorBoard."""

    def __init__(
        self, start: int, every: int, folder: Path, tensorboard: Path, draw: Callable[[], Image.Image]
    ) -> None:
        super().__init__(start)
        self.every = every
        self.folder = folder
        self.draw = draw
        self.writer = tf.summary.create_file_writer(str(tensorboard))

    def on_step(self, step: int, logs: Logs) -> None:
        if step % self.every == 0:
            grid = self.draw()
            save_png(grid, self.folder / f"step_{step:07d}.png")
            with self.writer.as_default(step):
                tf.summary.image("pictures", np.asarray(grid)[None])

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.writer.close()


class Evaluations(EachStep):
    """Figures every `every` iterations, to look at and never to choose a checkpoint by: a CSV file, TensorBoard."""

    def __init__(self, start: int, every: int, path: Path, tensorboard: Path, judge: Callable[[], Logs]) -> None:
        super().__init__(start)
        self.every = every
        self.judge = judge
        self.table = GrowingTable(start, path, tensorboard, "evaluation/")

    def on_step(self, step: int, logs: Logs) -> None:
        if step % self.every == 0:
            self.table.append(step, self.judge())
            self.table.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.table.close()


class SaveCheckpoints(EachStep):
    """A checkpoint every `every` iterations, with what the callbacks before this one must know."""

    def __init__(self, start: int, every: int, checkpoints: Checkpoints, watching: Sequence[EachStep]) -> None:
        super().__init__(start)
        self.every = every
        self.checkpoints = checkpoints
        self.watching = watching

    def on_step(self, step: int, logs: Logs) -> None:
        if step % self.every == 0:
            self.save()

    def save(self) -> None:
        """Writes a checkpoint of this step, unless it is there already. Raises UserError when the disk refuses."""
        self.checkpoints.save(memories(self.watching))


class Interruption(EachStep):
    """Ends training after the current iteration at Ctrl-C or SIGTERM; a second Ctrl-C ends the program at once."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self.requested = False
        self.before: dict[signal.Signals, Any] = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.before = {number: signal.signal(number, self._request) for number in self.SIGNALS}

    def on_train_end(self, logs: Logs | None = None) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with suppress(OSError):  # there is no standard error; print may not be called where it may be interrupted
            os.write(2, b"\nstopping after this step, which is kept; Ctrl-C again stops at once\n")

    def on_step(self, step: int, logs: Logs) -> None:
        if self.requested:
            self.model.stop_training = True


class ProgressBar(EachStep):
    """Iterations done, time left and the main losses, smoothed."""

    SHOWN = ("cross", "same", "cross_entropy", "triplet", "accuracy", "real_score", "fake_score")

    def __init__(self, start: int, steps: int, every: int = 10) -> None:
        super().__init__(start)
        self.total = steps
        self.every = every
        self.smooth: Logs = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        pause = 0.1 if sys.stderr.isatty() else 30.0  # seconds between two lines in a log file
        self.bar = tqdm(
            total=self.total, initial=self.step, unit="step", desc="training", dynamic_ncols=True, mininterval=pause
        )

    def on_step(self, step: int, logs: Logs) -> None:
        for name in self.SHOWN:
            self.smooth[name] = 0.9 * self.smooth.get(name, logs[name]) + 0.1 * logs[name]
        self.bar.update()
        if step % self.every == 0:
            self.bar.set_postfix({name: f"{value:.2f}" for name, value in self.smooth.items()}, refresh=False)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.bar.close()
