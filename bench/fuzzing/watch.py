"""The process that watches: it starts the one that is asked, and goes on behind an input that brings it down."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.fuzzing.cases import Outcome

SILENT = 90  # seconds without a word from the other process, which cuts off by itself what hangs in Python
PREPARING = 600  # seconds without one while it makes what is to be broken
ROOT = Path(__file__).parents[2]


class Failed(Exception):  # noqa: N818 (no error of an input's)
    """The bench itself could not go on."""


def outcomes(
    work: Path, seed: int, inputs: int, wanted: list[int] | None, say: Callable[[str], None]
) -> Iterator[Outcome]:
    """Outcomes one by one. wanted: numbers of inputs, None for all. say: is told what goes on meanwhile."""
    record = work / "record.jsonl"
    left = wanted
    while left is None or left:
        begun: dict[str, Any] | None = None
        record.unlink(missing_ok=True)
        process = _start(work, seed, inputs, left)
        for event in _events(process, record):
            if "cases" in event:
                left = list(event["cases"])
            elif "stage" in event:
                say(event["stage"])
            elif "number" in event:
                begun = event
            elif "outcome" in event:
                begun = None
                found = Outcome(**event["outcome"])
                left = [number for number in left or [] if number != found.number]
                yield found
        status = process.wait()
        if status > 0 or (status and begun is None):
            raise Failed((work / "errors.txt").read_text(errors="replace")[-4000:])
        if begun is None:
            return
        left = [number for number in left or [] if number != begun["number"]]
        how = f"brought the process down ({signal.Signals(-status).name})"
        yield Outcome(**begun, verdict="wrong", said=how, seconds=0.0)


def _start(work: Path, seed: int, inputs: int, wanted: list[int] | None) -> "subprocess.Popen[bytes]":
    with (work / "errors.txt").open("ab") as errors:
        return subprocess.Popen(
            [
                sys.executable,
                "-X",
                "faulthandler",
                "-m",
                "bench.fuzzing.child",
                json.dumps([str(work), seed, inputs, wanted]),
            ],
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
        )


def _events(process: "subprocess.Popen[bytes]", record: Path) -> Iterator[dict[str, Any]]:
    """What the other process writes, until it ends. It is killed when it says nothing for too long, or nobody listens
    any more."""
    try:
        yield from _heard(process, record)
    finally:
        process.kill()
        process.wait()


def _heard(process: "subprocess.Popen[bytes]", record: Path) -> Iterator[dict[str, Any]]:
    read, patience, heard = 0, PREPARING, time.monotonic()
    while True:
        ended = process.poll() is not None
        content = record.read_bytes()[read:] if record.is_file() else b""
        for line in content[: content.rfind(b"\n") + 1].splitlines(keepends=True):
            read += len(line)
            heard = time.monotonic()
            event = json.loads(line)
            patience = SILENT if "number" in event or "outcome" in event else PREPARING
            yield event
        if ended:
            return
        if time.monotonic() - heard > patience:
            process.kill()
            process.wait()  # and what it still said is read
        time.sleep(0.05)
