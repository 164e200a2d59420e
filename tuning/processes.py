"""Keras Tuner's chief and workers as processes: one command's own ones on this machine, or those of several machines.

Keras Tuner reads from the environment who a process is: KERASTUNER_TUNER_ID (chief, or any other name),
KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT (of the chief).
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from hicmd_tf.addresses import bound, bracketed, go_direct
from hicmd_tf.errors import EXIT_CODE, INTERRUPTED, UserError

TUNER, ADDRESS, PORT = "KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT"
PARENT = "HICMD_TF_SEARCH_PROCESS"
"""Number of the process that started a worker, and without which it ends."""
RESTARTS = 3  # of one worker that was killed
STARTING = 900.0  # seconds that a worker may take until it asks for a trial; then it is killed
SILENCE = 3600.0  # seconds without a word from any worker on another machine, after which the chief gives up
WORD = 60.0  # seconds between the words of a worker
LOCALHOST = "127.0.0.1"


def role() -> str:
    """What this process is by its environment: alone, chief or worker; a chief on this machine is asked without proxy.

    Raises UserError when a variable is missing, or no port.
    """
    given = [name for name in (TUNER, ADDRESS, PORT) if os.environ.get(name)]
    if not given:
        return "alone"
    missing = [name for name in (TUNER, ADDRESS, PORT) if name not in given]
    if missing:
        raise UserError(f"{given[0]} is set and {missing[0]} is not: several machines need all three, one machine none")
    try:
        if not 0 < int(os.environ[PORT]) < 1 << 16:
            raise ValueError
    except ValueError as error:
        raise UserError(f"{PORT} is {os.environ[PORT]!r}: expected a port, 1 to 65535") from error
    os.environ[ADDRESS] = bracketed(os.environ[ADDRESS])
    go_direct(os.environ[ADDRESS])
    return "chief" if "chief" in os.environ[TUNER] else "worker"


def check_address() -> None:
    """To be called by a chief. Raises UserError when it can't listen where its environment says."""
    bound(os.environ[ADDRESS], int(os.environ[PORT]), PORT).close()


def begun_by_a_command() -> bool:
    """Whether a command started this process as a worker of its own."""
    return PARENT in os.environ


def end_with_parent() -> None:
    """In a worker that a command has started: ends this process when that one has ended, however."""
    if not begun_by_a_command():
        return
    parent = int(os.environ[PARENT])

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(INTERRUPTED)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def as_chief() -> Iterator[dict[str, str]]:
    """Makes this process the chief of workers on this machine; gives the environment that its workers need."""
    with bound(LOCALHOST, 0) as free:
        port = str(free.getsockname()[1])
    go_direct(LOCALHOST)
    os.environ.update({TUNER: "chief", ADDRESS: LOCALHOST, PORT: port})
    try:
        yield {ADDRESS: LOCALHOST, PORT: port, PARENT: str(os.getpid())}
    finally:
        for name in (TUNER, ADDRESS, PORT):
            del os.environ[name]


class Workers:
    """Processes of one command, each with a log; one that is killed is started again, and gets its trial back."""

    def __init__(self, command: Sequence[str], count: int, environment: Mapping[str, str], logs: Path) -> None:
        self.command, self.environment, self.logs = list(command), dict(environment), logs
        self.restarts = dict.fromkeys((f"worker{n}" for n in range(count)), 0)
        self.begun: dict[str, float] = {}
        self.processes = {name: self._start(name) for name in self.restarts}

    def wait(self, ended: Callable[[], bool], alive: Callable[[], bool], asked: Callable[[str], float]) -> None:
        """Until all have ended and the search has. asked: when a worker last asked for a trial, on the monotonic clock.

        Raises UserError when one refuses to go on, dies or does not begin again and again, when none is left though the
        search has not ended, or the chief, which `alive` knows of, is no more.
        """
        last = time.monotonic()
        while self.processes or not ended():
            time.sleep(0.2)
            for name, process in list(self.processes.items()):
                last = time.monotonic()
                if process.poll() is None and asked(name) < self.begun[name] < last - STARTING:
                    process.kill()
                    process.wait()
                status = process.poll()
                if status is None:
                    continue
                del self.processes[name]
                if status:
                    self._again(name, status)
            if alive() and time.monotonic() < last + STARTING:
                continue
            if ended():
                return  # who has not asked yet would find nothing to do
            raise UserError("the search's own server has ended: see above, and begin again with --resume")

    def stop(self) -> None:
        """Asks all to end after their iteration, with a checkpoint; waits."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
        self.processes = {}

    def _start(self, name: str) -> "subprocess.Popen[bytes]":
        self.logs.mkdir(parents=True, exist_ok=True)
        self.begun[name] = time.monotonic()
        with (self.logs / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                self.command, stdout=log, stderr=log, env={**os.environ, **self.environment, TUNER: name}
            )

    def _again(self, name: str, status: int) -> None:
        log = self.logs / f"{name}.log"
        if status == EXIT_CODE:
            lines = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("error: ")]
            raise UserError((lines[-1] if lines else f"{name} refused to go on; see {log}").removeprefix("error: "))
        if self.restarts[name] == RESTARTS:
            raise UserError(f"{name} ended {RESTARTS + 1} times (status {status}): see {log}, then go on with --resume")
        self.restarts[name] += 1
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        print(f"warning: {name} ended ({how}) and is started again; its log is {log}", file=sys.stderr, flush=True)
        self.processes[name] = self._start(name)
