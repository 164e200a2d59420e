"""Logs of a run: TensorBoard, tables that grow by a row, means over many iterations."""

import io
import time
import warnings
from pathlib import Path
from typing import Any

from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from hicmd_tf.files import write_text
from hicmd_tf.runs.step_table import STEP, StepTable, as_text, read_steps
from hicmd_tf.training.callbacks import EachStep, Logs


class TensorBoard:
    """Numbers and pictures for TensorBoard, whichever engine trains."""

    def __init__(self, folder: Path) -> None:
        self._writer = EventFileWriter(str(folder))

    def numbers(self, step: int, values: Logs, prefix: str = "") -> None:
        """Adds a point to each curve."""
        self._add(step, [Summary.Value(tag=f"{prefix}{name}", simple_value=value) for name, value in values.items()])

    def picture(self, step: int, name: str, picture: Image.Image) -> None:
        """Adds a picture, RGB."""
        content = io.BytesIO()
        picture.save(content, "PNG")
        shown = Summary.Image(
            width=picture.width, height=picture.height, colorspace=3, encoded_image_string=content.getvalue()
        )
        self._add(step, [Summary.Value(tag=name, image=shown)])

    def _add(self, step: int, values: list[Summary.Value]) -> None:
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def close(self) -> None:
        """Writes what is left; no more comes."""
        self._writer.close()


class GrowingTable:
    """A CSV file with one row per step, and the same numbers in TensorBoard.

    A run that goes on after step `start` makes the rows after it again: they are dropped. Lines that can't be read are
    cut, which a warning says. A column that the file does not have yet comes last, with nothing in the rows before.
    """

    def __init__(self, start: int, path: Path, board: TensorBoard, prefix: str = "") -> None:
        self.path, self.board, self.prefix = path, board, prefix
        table = read_steps(path) if start and path.is_file() else StepTable([], [], [])
        if table.damaged:
            warnings.warn(f"{path}: {table.flaw}: left out of it now", stacklevel=1)
        self.columns = table.columns
        if path.is_file():
            write_text(path, as_text(table.columns, [row for row in table.rows if int(row[0]) <= start]))

    def append(self, step: int, values: Logs) -> None:
        """Writes one row."""
        cells = {STEP: str(step), **{name: f"{value:.7g}" for name, value in values.items()}}
        new = [name for name in cells if name not in self.columns]
        if new:
            before = read_steps(self.path).rows if self.columns else []
            self.columns = [*self.columns, *new]
            write_text(self.path, as_text(self.columns, [[*row, *[""] * len(new)] for row in before]))
        with self.path.open("a", newline="", encoding="utf-8") as file:
            file.write(as_text([], [[cells.get(name, "") for name in self.columns]]))
        self.board.numbers(step, values, self.prefix)


class Means(EachStep):
    """Means of what is logged over every `every` iterations; a resumption makes no difference to them."""

    def __init__(self, start: int, every: int) -> None:
        super().__init__(start)
        self.every = every
        self.sums: Logs = {}
        self.count = 0

    def memory(self) -> dict[str, Any]:
        """Its state of the iterations so far, to go on as if there had been no interruption, as JSON."""
        return {"sums": self.sums, "count": self.count}

    def remember(self, memory: dict[str, Any]) -> None:
        """Takes what `memory` gave at the step where the run goes on."""
        self.sums, self.count = memory["sums"], memory["count"]

    def on_step(self, step: int, logs: Logs) -> None:
        for name, value in {**logs, **self.further()}.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value)
        self.count += 1
        if step % self.every == 0:
            self.on_means(step, {name: total / self.count for name, total in self.sums.items()})
            self.sums, self.count = {}, 0

    def further(self) -> Logs:
        """Further values of an iteration that are to be averaged."""
        return {}

    def on_means(self, step: int, means: Logs) -> None:
        """Called after the last of `every` iterations; `count` says how many they were."""


class LossTable(Means):
    """One row per `every` iterations, each value the mean since the row before; learning rates among them.

    A resumed run's table equals that of a run without interruption.
    """

    def __init__(self, start: int, every: int, path: Path, board: TensorBoard) -> None:
        super().__init__(start, every)
        self.table = GrowingTable(start, path, board)

    def on_means(self, step: int, means: Logs) -> None:
        self.table.append(step, means)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.table.board.close()

    def further(self) -> Logs:
        optimisers = self.model.optimisers.by_part()
        return {f"{part.removesuffix('s')}_rate": one.schedule.at(self.step) for part, one in optimisers.items()}
