"""Cases in processes of their own: prepared side by side, measured one at a time while the others stand still.

To compile takes minutes and most of it one core, to measure takes seconds and the whole machine. A case that fails,
hangs or runs out of memory takes no other with it.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

Figures = dict[str, Any]

DONE, CUT = "done", "out of time"
PATIENCE = 0.5  # of all time, that calm cases may keep the others waiting
TURN = 0.25  # of all time, that one measurement may take
LINES = 12  # of a failed case's output, that are kept


class Gate:
    """The case's side: how it tells what it found, and waits for its turn."""

    def __init__(self, connection: Connection, began: float) -> None:
        self._connection, self._began = connection, began

    @property
    def age(self) -> float:
        """Seconds since the process was asked for, the start of Python included."""
        return time.time() - self._began

    def found(self, **figures: Any) -> None:
        """Figures that are kept whatever happens to the case later."""
        self._connection.send(("found", figures))

    def unhurried(self) -> None:
        """Says that from now on others may be prepared beside."""
        self._connection.send(("unhurried", None))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Inside, no other case computes."""
        self._connection.send(("ready", None))
        self._connection.recv()
        yield
        self._connection.send(("measured", None))


class Case(NamedTuple):
    """work: called with a `Gate` in the process. environment: more of it. after: the case that must have ended before.
    calm: nothing is measured while it prepares itself, for that is what it measures. first: nothing is even begun
    until it is `unhurried`."""

    name: str
    work: Callable[[Gate], None]
    environment: Mapping[str, str] = {}
    after: str = ""
    calm: bool = False
    first: bool = False


class _Running:
    """A case's process and where it stands. state: preparing, ready or measuring."""

    def __init__(self, case: Case, logs: Path) -> None:
        self.case, self.state, self.log = case, "preparing", logs / f"{case.name}.log"
        self.hurried = case.first
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        arguments = theirs, case, time.time(), self.log
        self.process = context.Process(target=_process, args=arguments, name=case.name, daemon=True)
        self.process.start()
        theirs.close()

    def signal(self, number: int) -> None:
        """Sends a signal to the process, if it still is."""
        if self.process.pid is not None and self.process.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def end(self) -> None:
        """Ends the process, however it stands."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def _process(connection: Connection, case: Case, began: float, log: Path) -> None:
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.update(case.environment)
    if not case.calm:
        os.nice(10)  # what is calm measures how long its preparation takes
    try:
        case.work(Gate(connection, began))
        connection.send(("ended", DONE))
    except BaseException as error:
        traceback.print_exc()
        connection.send(("ended", f"failed: {type(error).__name__}: {str(error)[:500]}"))


def run(
    cases: Sequence[Case], most: int, until: float, logs: Path, found: Callable[[str, Figures, str], None]
) -> dict[str, str]:
    """Runs cases, the first ones first, at most so many at once, until a `time.monotonic()`.

    found: called with a case's name, new figures of it, and its outcome so far ("" until it has one). Returns the
    outcomes by name: `DONE`, `CUT`, or how a case failed.
    """
    logs.mkdir(parents=True, exist_ok=True)
    outcomes: dict[str, str] = {}
    waiting, running = list(cases), list[_Running]()
    begin = time.monotonic()
    patient, turn_ends = begin + PATIENCE * (until - begin), until

    def end(one: _Running, outcome: str) -> None:
        one.end()
        running.remove(one)
        outcomes[one.case.name] = outcome
        failed = outcome not in (DONE, CUT)
        found(one.case.name, {"log": _tail(one.log)} if failed else {}, outcome)

    while (waiting or running) and time.monotonic() < until:
        measuring = next((one for one in running if one.state == "measuring"), None)
        impatient = time.monotonic() > patient
        if measuring is None:
            calm = any(one.case.calm and one.state == "preparing" for one in running) and not impatient
            turn = next((one for case in cases for one in running if one.case is case and one.state == "ready"), None)
            if turn is not None and not (calm and not turn.case.calm):
                for other in running:
                    if other is not turn:
                        other.signal(signal.SIGSTOP)
                turn.state, turn_ends = "measuring", time.monotonic() + TURN * (until - begin)
                turn.connection.send("go")
            else:
                _begin(waiting, running, cases, outcomes, most, logs, impatient)
        elif time.monotonic() > turn_ends:
            end(measuring, f"failed: measured for more than {TURN * (until - begin):.0f} s")
            for other in running:
                other.signal(signal.SIGCONT)
        for ready in wait([*(one.connection for one in running), *(one.process.sentinel for one in running)], 0.5):
            one = next((one for one in running if ready in (one.connection, one.process.sentinel)), None)
            if one is None:  # it has ended in this round
                continue
            outcome = _hear(one, found)
            if outcome or one.state == "measured":
                for other in running:
                    other.signal(signal.SIGCONT)
                one.state = "preparing" if one.state == "measured" else one.state
            if outcome:
                end(one, outcome)
    for one in list(running):
        end(one, CUT)
    for case in waiting:
        outcomes[case.name] = CUT
        found(case.name, {}, CUT)
    return outcomes


def _begin(
    waiting: list[Case],
    running: list[_Running],
    cases: Sequence[Case],
    outcomes: Mapping[str, str],
    most: int,
    logs: Path,
    impatient: bool,
) -> None:
    """Begins what may begin."""
    names = {case.name for case in cases}
    for case in list(waiting):
        busy = sum(one.state == "preparing" for one in running)
        hurried = any(one.hurried for one in running) and not impatient
        if busy >= most or hurried:
            return
        if case.after not in names or case.after in outcomes:
            waiting.remove(case)
            running.append(_Running(case, logs))


def _hear(one: _Running, found: Callable[[str, Figures, str], None]) -> str:
    """Takes what a case says. Returns its outcome, "" while it goes on."""
    try:
        while one.connection.poll():
            kind, content = one.connection.recv()
            if kind == "found":
                found(one.case.name, content, "")
            elif kind == "ended":
                return str(content)
            else:
                one.hurried = False
                one.state = kind if kind in ("ready", "measured") else one.state
                if kind in ("ready", "measured"):
                    return ""
    except (EOFError, OSError):
        one.process.join(5)
        return f"failed: its process ended with {one.process.exitcode}"
    if not one.process.is_alive() and not one.connection.poll():
        return f"failed: its process ended with {one.process.exitcode}"
    return ""


def _tail(log: Path) -> list[str]:
    return log.read_text("utf-8", errors="replace").splitlines()[-LINES:] if log.is_file() else []
