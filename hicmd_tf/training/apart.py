"""Runs in processes of their own, one after another or side by side on this machine."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from hicmd_tf.errors import EXIT_CODE, INTERRUPTED, PARENT, UserError, begun_by_a_command, stop
from hicmd_tf.runs.costs import BESIDE
from hicmd_tf.runs.folder import RunFolder

POLL = 0.2  # seconds


class Job(NamedTuple):
    """A run to be trained. fit: the command. what: which run it is, in words. run: its folder. log: the file that takes
    what it prints; None: it prints where this process does."""

    fit: Sequence[str]
    what: str
    run: RunFolder
    log: Path | None = None


def train_apart(jobs: Sequence[Job], advice: str, workers: int = 1) -> list[Job]:
    """Trains runs, each in a process of its own.

    Args:
        jobs: The runs, in the order in which they begin.
        advice: How to go on where this stops.
        workers: How many train side by side.

    Returns:
        Runs that stopped at a step which failed, as theirs alone; the others were trained nevertheless.

    Raises:
        UserError: When one is killed, or refuses to go on; SystemExit when it, or this process, is asked to stop. In
            any case the others end, after their iteration and with a checkpoint.
    """
    left, failed = [*jobs], []
    running: list[tuple[Job, subprocess.Popen[bytes]]] = []
    kept = {job.run.path: _time(job.run.failure) for job in jobs}  # a run that goes on may have failed before
    beside = min(workers, len(jobs)) > 1
    try:
        while left or running:
            while left and len(running) < workers:
                job = left.pop(0)
                if len(jobs) > 1 or job.log:  # what has no log says itself what it does
                    told = f"; its log is {job.log}" if job.log else ""
                    print(f"{job.what}: run {len(jobs) - len(left)} of {len(jobs)}{told}", file=sys.stderr, flush=True)
                running.append((job, _start(job, beside)))
            for job, process in [*running]:
                status = process.poll()
                if status is None:
                    continue
                running.remove((job, process))
                if status == EXIT_CODE and _time(job.run.failure) not in (0, kept[job.run.path]):
                    failed.append(job)
                elif status:
                    _refuse(job, status, advice)
            if running:
                time.sleep(POLL)
    except KeyboardInterrupt:
        _end(running)
        stop(f"stopped in {' and '.join(job.what for job, _ in running)}; {advice}")
    finally:
        _end(running)
    return failed


def _time(folder: Path) -> int:
    """When a folder was changed, in ns; 0 where there is none."""
    return folder.stat().st_mtime_ns if folder.exists() else 0


def _end(running: Sequence[tuple[Job, "subprocess.Popen[bytes]"]]) -> None:
    """Asks processes to end, and waits for them."""
    for _, process in running:
        process.terminate()
    for _, process in running:
        process.wait()


def _start(job: Job, beside: bool) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, PARENT: str(os.getpid()), **({BESIDE: "1"} if beside else {})}
    if job.log is None:
        return subprocess.Popen(job.fit, env=environment)
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log:
        return subprocess.Popen(job.fit, env=environment, stdout=log, stderr=log)


def _refuse(job: Job, status: int, advice: str) -> None:
    """Raises UserError for a run that ended before its time, or SystemExit where it has said itself why."""
    if status < 0:
        raise UserError(f"{job.what} was ended by {signal.Signals(-status).name}; {advice}")
    if status == INTERRUPTED:
        stop(f"stopped in {job.what}; {advice}")
    if job.log is None:
        sys.exit(status)
    said = [line for line in job.log.read_text(errors="replace").splitlines() if line.startswith("error: ")]
    reason = said[-1].removeprefix("error: ") if said else f"it ended with status {status}"
    raise UserError(f"{job.what}: {reason} (its log is {job.log}); {advice}")


def end_with_parent(end: Callable[[], object]) -> None:
    """In a process that a command has started: calls `end` when that one has ended, however."""
    if not begun_by_a_command():
        return
    parent = int(os.environ[PARENT])

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL)
        end()

    threading.Thread(target=watch, daemon=True).start()
