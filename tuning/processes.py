"""Keras Tuner's chief and workers as processes: one command's own ones on this machine, or those of several machines.

Keras Tuner reads from the environment who a process is: KERASTUNER_TUNER_ID (chief, or any other name),
KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT (of the chief).
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from hicmd_tf.addresses import LOCALHOST, bracketed, go_direct, listening
from hicmd_tf.errors import EXIT_CODE, PARENT, UserError

TUNER, ADDRESS, PORT = "KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT"
RESTARTS = 3  # of one worker that was killed


def role() -> str:
    """This process' role by environment: alone, chief or worker; a chief on this machine is asked without proxy.

    Raises UserError when a variable is missing, or no port.
    """
    given = [name for name in (TUNER, ADDRESS, PORT) if os.environ.get(name)]
    if not given:
        return "alone"
    missing = [name for name in (TUNER, ADDRESS, PORT) if name not in given]
    if missing:
        raise UserError(f"{given[0]} is set and {missing[0]} is not: several machines need all three, one machine none")
    if not os.environ[PORT].isdecimal() or not 0 < int(os.environ[PORT]) < 1 << 16:
        raise UserError(f"{PORT} is {os.environ[PORT]!r}: expected a port, 1 to 65535")
    os.environ[ADDRESS] = bracketed(os.environ[ADDRESS])
    go_direct()
    return "chief" if "chief" in os.environ[TUNER] else "worker"


def check_address() -> None:
    """To be called by a chief. Raises UserError when it can't listen where its environment says."""
    listening(os.environ[ADDRESS], int(os.environ[PORT]), PORT).close()


@contextmanager
def as_chief() -> Iterator[dict[str, str]]:
    """Makes this process the chief of workers on this machine; gives the environment that its workers need."""
    with listening(LOCALHOST, 0) as free:
        port = str(free.getsockname()[1])
    go_direct()
    os.environ.update({TUNER: "chief", ADDRESS: LOCALHOST, PORT: port})
    try:
        yield {ADDRESS: LOCALHOST, PORT: port, PARENT: str(os.getpid())}
    finally:
        for name in (TUNER, ADDRESS, PORT):
            del os.environ[name]


def run_workers(
    command: Sequence[str], count: int, environment: Mapping[str, str], logs: Path, going_on: Callable[[], bool]
) -> None:
    """Runs a command in several processes, each with a log, until all have ended. One that is killed is started again,
    and gets its trial back.

    going_on: whether the chief still hands out trials; those who come later are not waited for. Raises UserError when
    one refuses to go on, or dies again and again. In any case the others end, after their iteration and with a
    checkpoint.
    """
    logs.mkdir(parents=True, exist_ok=True)

    def start(name: str) -> "subprocess.Popen[bytes]":
        with (logs / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **environment, TUNER: name})

    restarts = dict.fromkeys((f"worker{n}" for n in range(count)), 0)
    processes = {name: start(name) for name in restarts}
    try:
        while processes and going_on():
            time.sleep(0.2)
            for name, process in list(processes.items()):
                if process.poll() is None:
                    continue
                del processes[name]
                if process.returncode:
                    _refuse(name, process.returncode, restarts[name], logs / f"{name}.log")
                    restarts[name] += 1
                    processes[name] = start(name)
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for process in processes.values():
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()


def _refuse(name: str, status: int, restarts: int, log: Path) -> None:
    """Warns of a worker that has ended. Raises UserError when it is not to be started again."""
    if status == EXIT_CODE:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("error: ")]
        raise UserError((lines[-1] if lines else f"{name} refused to go on; see {log}").removeprefix("error: "))
    if restarts == RESTARTS:
        raise UserError(f"{name} ended {RESTARTS + 1} times (status {status}): see {log}, then go on with --resume")
    how = signal.Signals(-status).name if status < 0 else f"status {status}"
    print(f"warning: {name} ended ({how}) and is started again; its log is {log}", file=sys.stderr, flush=True)
