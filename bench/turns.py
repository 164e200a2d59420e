"""Cases in processes of their own, one after the other: what fails, hangs or runs out of memory takes no other with it.

Nothing runs beside: compilations that try out kernels on one card at once take longer together, and choose badly.
"""

import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

Figures = dict[str, Any]

DONE, CUT = "done", "out of time"
TURN = 0.5  # of all time, that one case may take
LINES = 12  # of a failed case's output, that are kept


class Teller:
    """The case's side: how it tells what it found."""

    def __init__(self, connection: Connection, began: float) -> None:
        self._connection, self._began = connection, began

    @property
    def age(self) -> float:
        """Seconds since the process was asked for, the start of Python included."""
        return time.time() - self._began

    def found(self, **figures: Any) -> None:
        """Figures that are kept whatever happens to the case later."""
        self._connection.send((figures, ""))

    def ended(self, outcome: str) -> None:
        """No more comes."""
        self._connection.send(({}, outcome))


class Case(NamedTuple):
    """work: called with a `Teller` in the process. environment: more of it."""

    name: str
    work: Callable[[Teller], None]
    environment: Mapping[str, str] = {}


def run(cases: Sequence[Case], until: float, logs: Path, found: Callable[[str, Figures, str], None]) -> None:
    """Runs cases in their order, until a `time.monotonic()`.

    found: called with a case's name, new figures of it, and its outcome: "" until it has one, then `DONE`, `CUT`, or
    how it failed.
    """
    logs.mkdir(parents=True, exist_ok=True)
    turn = TURN * (until - time.monotonic())
    for case in cases:
        log, outcome = logs / f"{case.name}.log", CUT
        end = min(until, time.monotonic() + turn)
        if time.monotonic() < end:
            outcome = _one(case, log, end, found)
        if outcome == CUT and end < until:
            outcome = f"failed: took more than {turn:.0f} s"
        found(case.name, {} if outcome in (DONE, CUT) else {"log": _tail(log)}, outcome)


def _one(case: Case, log: Path, end: float, found: Callable[[str, Figures, str], None]) -> str:
    """Runs one case. Returns its outcome."""
    context = get_context("spawn")
    connection, theirs = context.Pipe()
    process = context.Process(target=_process, args=(theirs, case, time.time(), log), name=case.name, daemon=True)
    process.start()
    theirs.close()
    try:
        while wait([connection], max(0.0, end - time.monotonic())):
            figures, outcome = connection.recv()
            if outcome:
                return str(outcome)
            found(case.name, figures, "")
        return CUT
    except EOFError:
        process.join(5)
        return f"failed: its process ended with {process.exitcode}"
    finally:
        process.kill()
        process.join()
        connection.close()


def _process(connection: Connection, case: Case, began: float, log: Path) -> None:
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.update(case.environment)
    teller = Teller(connection, began)
    try:
        case.work(teller)
        teller.ended(DONE)
    except BaseException as error:
        traceback.print_exc()
        teller.ended(f"failed: {type(error).__name__}: {str(error)[:500]}")


def _tail(log: Path) -> list[str]:
    return log.read_text("utf-8", errors="replace").splitlines()[-LINES:] if log.is_file() else []
