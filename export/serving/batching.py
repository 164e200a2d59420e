"""Requests that arrive together are answered together (imports no TensorFlow).

One thread runs the model. While it is busy requests wait; then those of one signature and shape are joined, up to so
many rows. The first of them waits a moment for others, no longer.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hicmd_tf.export.serving.failures import Failure, Kind

Arrays = dict[str, np.ndarray[Any, Any]]
Run = Callable[[str, Arrays], Arrays]


@dataclass(eq=False)  # each is itself
class Request:
    """rows: of every input. key: equal for requests that may be joined; None for one that must not be. deadline: on the
    monotonic clock, after which nobody waits for the answer."""

    signature: str
    inputs: Arrays
    rows: int
    key: Any
    deadline: float
    arrived: float = field(default_factory=time.monotonic)
    answer: Future[Arrays] = field(default_factory=Future)


class Batcher:
    """run: (signature, inputs) -> outputs, one at a time, from the batcher's own thread.

    most_rows: of a joined batch. wait: seconds that a first request waits for others. capacity: rows that may wait
    before further requests are refused. batches, requests: answered so far.
    """

    def __init__(self, run: Run, most_rows: int = 32, wait: float = 0.002, capacity: int = 1024) -> None:
        self._run, self._most, self._wait, self._capacity = run, most_rows, wait, capacity
        self._waiting: deque[Request] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self.batches = self.requests = 0
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, signature: str, inputs: Arrays, joinable: bool, seconds: float) -> Future[Arrays]:
        """A request's outputs, later. Raises Failure when too many rows wait already, or the server stops."""
        rows = max((len(value) for value in inputs.values() if value.ndim), default=1)
        shapes = tuple(sorted((name, value.dtype.str, value.shape[1:]) for name, value in inputs.items()))
        key = (signature, shapes) if joinable else None
        request = Request(signature, inputs, rows, key, time.monotonic() + seconds)
        with self._changed:
            if self._closing:
                raise Failure(Kind.BUSY, "the server is stopping")
            waiting = sum(other.rows for other in self._waiting)
            if waiting and waiting + rows > self._capacity:
                raise Failure(Kind.BUSY, f"{waiting} rows are waiting already: try again in a moment")
            self._waiting.append(request)
            self._changed.notify_all()
        return request.answer

    def close(self) -> None:
        """Takes no further requests, answers those that wait."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            self._answer([r for r in batch if r.answer.set_running_or_notify_cancel()])

    def _next(self) -> list[Request] | None:
        """The next requests to be run together; None when there will be no more."""
        with self._changed:
            while True:
                while not self._waiting and not self._closing:
                    self._changed.wait()
                if not self._waiting:
                    return None
                first = self._waiting[0]
                left = first.arrived + self._wait - time.monotonic()
                joined = self._joined(first)
                full = sum(request.rows for request in joined) >= self._most or first.key is None
                if full or left <= 0 or self._closing:
                    for request in joined:
                        self._waiting.remove(request)
                    return joined
                self._changed.wait(left)

    def _joined(self, first: Request) -> list[Request]:
        joined, rows = [first], first.rows
        for request in list(self._waiting)[1:]:
            if request.key is not None and request.key == first.key and rows + request.rows <= self._most:
                joined.append(request)
                rows += request.rows
        return joined

    def _answer(self, batch: Sequence[Request]) -> None:
        now = time.monotonic()
        for request in batch:
            if request.deadline < now:
                request.answer.set_exception(Failure(Kind.LATE, "the request waited longer than its time"))
        batch = [request for request in batch if request.deadline >= now]
        if not batch:
            return
        try:
            outputs = self._run(batch[0].signature, _concatenated(batch))
            parts = _split(outputs, [request.rows for request in batch])
        except Exception as error:
            if len(batch) > 1:  # one bad row must not fail its neighbours
                for request in batch:
                    self._answer([request])
            else:
                batch[0].answer.set_exception(error)
            return
        self.batches += 1
        self.requests += len(batch)
        for request, part in zip(batch, parts, strict=True):
            request.answer.set_result(part)


def _concatenated(batch: Sequence[Request]) -> Arrays:
    if len(batch) == 1:
        return batch[0].inputs
    return {name: np.concatenate([request.inputs[name] for request in batch]) for name in batch[0].inputs}


def _split(outputs: Arrays, rows: Sequence[int]) -> list[Arrays]:
    if len(rows) == 1:
        return [outputs]
    ends = np.cumsum(rows)[:-1]
    parts = {name: np.split(value, ends) for name, value in outputs.items()}
    return [{name: part[i] for name, part in parts.items()} for i in range(len(rows))]
