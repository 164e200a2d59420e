"""Callbacks of a run: something every so many iterations, the progress bar, interruption."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import keras
from tqdm import tqdm

Logs = dict[str, float]


class EachStep(keras.callbacks.Callback):
    """A callback that counts the run's iterations, also those before a resumption, from 1.

    looks_every: after how many steps each it looks at the model's state; None: never, at losses alone.
    """

    looks_every: int | None = None

    def __init__(self, start: int) -> None:
        super().__init__()
        self.step = start

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.step += 1
        self.on_step(self.step, logs or {})

    def on_step(self, step: int, logs: Logs) -> None:
        """Called after each iteration."""


class Every(EachStep):
    """Calls a function with the step after every `every` iterations."""

    def __init__(self, start: int, every: int, call: Callable[[int], None]) -> None:
        super().__init__(start)
        self.every, self.call = every, call
        self.looks_every = every

    def on_step(self, step: int, logs: Logs) -> None:
        if step % self.every == 0:
            self.call(step)


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

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with suppress(OSError):  # there is no standard error; print may not be called where it may be interrupted
            os.write(2, b"\nstopping after this step, which is kept; Ctrl-C again stops at once\n")

    def on_step(self, step: int, logs: Logs) -> None:
        if self.requested:
            self.model.stop_training = True


class ProgressBar(EachStep):
    """Iterations done, time left and the main losses, smoothed. Time is counted from the end of the first iteration,
    which is long: in it an engine builds what all others run."""

    SHOWN = ("cross", "same", "cross_entropy", "triplet", "accuracy", "real_score", "fake_score")

    def __init__(self, start: int, steps: int, every: int = 10) -> None:
        super().__init__(start)
        self.total, self.every = steps, every
        self.smooth: Logs = {}
        self.begun = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        pause = 0.1 if sys.stderr.isatty() else 30.0  # seconds between two lines in a log file
        self.bar = tqdm(
            total=self.total, initial=self.step, unit="step", desc="training", dynamic_ncols=True, mininterval=pause
        )

    def on_step(self, step: int, logs: Logs) -> None:
        for name in filter(logs.__contains__, self.SHOWN):
            self.smooth[name] = 0.9 * self.smooth.get(name, logs[name]) + 0.1 * logs[name]
        if self.begun:
            self.bar.update()
        else:
            self.begun = True
            self.bar.n = self.bar.initial = self.bar.last_print_n = step
            self.bar.unpause()
        if step % self.every == 0:
            self.bar.set_postfix({name: f"{value:.2f}" for name, value in self.smooth.items()}, refresh=False)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.bar.close()
