"""Seconds of training, over all processes that had a part in a run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from hicmd_tf.runs.costs import Costs
from hicmd_tf.training.callbacks import EachStep, Logs


class Stopwatch(EachStep):
    """Counts seconds while a run trains, but what is done aside. clock: as `Costs` has it.

    Args:
        start: The step that the run goes on from.
        before: The run's costs until then; readings of later steps, which are made again, are dropped.
    """

    def __init__(self, start: int, before: Costs | None) -> None:
        super().__init__(start)
        self.clock = [reading for reading in (before.clock if before else []) if reading[0] <= start]
        if not self.clock or self.clock[-1][0] != start:  # of an earlier version
            self.clock = [(start, 0.0)]
        self._counted, self._since = self.clock[-1][1], 0.0
        self._runs = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._since, self._runs = time.perf_counter(), True

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._pause()

    def read(self, step: int) -> None:
        """Notes the seconds up to a step."""
        now = self._counted + (time.perf_counter() - self._since if self._runs else 0.0)
        if self.clock[-1][0] < step:
            self.clock.append((step, round(now, 3)))

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Stands still meanwhile."""
        ran = self._runs
        self._pause()
        try:
            yield
        finally:
            self._since, self._runs = time.perf_counter(), ran

    def _pause(self) -> None:
        if self._runs:
            self._counted += time.perf_counter() - self._since
            self._runs = False
