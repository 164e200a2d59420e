"""One input handed to its entry point, and whether the answer is what a user should see."""

import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.fuzzing.cases import Case, Material, Outcome, Verdict
from bench.fuzzing.entries import ENTRIES, Accepted
from hicmd_tf.errors import EXIT_CODE

LIMIT = 5.0  # seconds for an answer
PATIENCE = 60  # seconds until what does not answer is cut off
LOCKS = ("lock",)  # files that may stay: they are held, not written


class Hung(BaseException):
    """No answer came."""


def judged(case: Case, material: Material, room: Path) -> Outcome:
    """Hands one input over in a folder of its own below `room`, which is left empty."""
    folder = room / "case"
    folder.mkdir()
    try:
        return _judged(case, material, folder)
    finally:
        shutil.rmtree(folder)


def _judged(case: Case, material: Material, folder: Path) -> Outcome:
    asked = case.input.build(material, folder)
    before = _contents(folder)
    begin = time.monotonic()
    verdict, said = _answer(lambda: ENTRIES[case.entry](case.entry, asked))
    seconds = time.monotonic() - begin
    if verdict == "refused":
        left = sorted(name for name, of in _contents(folder).items() if before.get(name) != of)
        if left:
            verdict, said = "wrong", f"left {', '.join(left[:4])} behind; {said}"
        elif seconds > LIMIT:
            verdict, said = "wrong", f"took {seconds:.1f} s; {said}"
    return Outcome(case.number, case.entry, case.kind, case.input.story, verdict, said, seconds)


def _contents(folder: Path) -> dict[str, tuple[int, ...]]:
    """Size and time of everything below the folder, and of what is in the one for temporary files; of folders their
    names, but for those with nothing but a lock in them."""
    found: dict[str, tuple[int, ...]] = {}
    for root in (str(folder), tempfile.gettempdir()):
        for place, folders, files in os.walk(root):
            kept = [name for name in files if name not in LOCKS and not name.endswith(".lock")]
            if place != root and (kept or folders or not files):
                found[os.path.relpath(place, root)] = ()
            for name in (*kept, *(name for name in folders if os.path.islink(os.path.join(place, name)))):
                told = os.lstat(os.path.join(place, name))
                found[os.path.relpath(os.path.join(place, name), root)] = told.st_size, told.st_mtime_ns
    return found


def _answer(ask: Callable[[], None]) -> tuple[Verdict, str]:
    """What came of it, by the exit code and all that went to standard error."""
    status: Any = None
    failure = ""
    with _told() as told:
        try:
            with _within(PATIENCE):
                ask()
        except Accepted:
            return "accepted", ""
        except SystemExit as left:
            status = left.code
        except Hung:
            failure = f"no answer within {PATIENCE} s: {_where()}"
        except BaseException as error:  # anything else would have been a traceback
            failure = f"{type(error).__name__}: {str(error)[:200]} {_where()}"
    return _verdict(status, failure, told[0])


def _verdict(status: Any, failure: str, errors: str) -> tuple[Verdict, str]:
    if failure:
        return "wrong", failure
    if not status:
        return "accepted", ""
    shown = [line.rpartition("\r")[2] for line in errors.split("\n")]
    lines = [line for line in shown if line.strip() and not line.startswith("warning: ")]
    if status != EXIT_CODE or len(lines) != 1 or not lines[0].startswith("error: "):
        return "wrong", f"exit code {status}, said: {' | '.join(lines)[:400]!r}"
    return "refused", lines[0]


def _where() -> str:
    """The innermost lines of the exception at hand, our own ones if there are any."""
    frames = traceback.extract_tb(sys.exc_info()[2])
    ours = [f for f in frames if any(part in f.filename for part in ("/hicmd_tf/", "/export/", "/tuning/"))]
    chosen = [*ours[-2:], frames[-1]]
    return " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(chosen))


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raises `Hung` in the middle of whatever does not end. What hangs in C is for the watching process."""

    def hang(*_: Any) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _told() -> Iterator[list[str]]:
    """Standard error of this process and of its libraries, in a list behind the block; standard output goes nowhere."""
    kept: list[str] = []
    with tempfile.TemporaryFile() as file, open(os.devnull, "wb") as nowhere:
        with _led_to(1, nowhere.fileno(), "strict"), _led_to(2, file.fileno(), "backslashreplace"):
            yield kept
        file.seek(0)
        kept.append(file.read().decode(errors="replace"))


@contextmanager
def _led_to(stream: int, target: int, errors: str) -> Iterator[None]:
    """Standard output (1) or error (2) goes to another file, as a shell leads it, what C code says too."""
    name = {1: "stdout", 2: "stderr"}[stream]
    before, saved = getattr(sys, name), os.dup(stream)
    before.flush()
    os.dup2(target, stream)
    try:
        with open(stream, "w", buffering=1, encoding="utf-8", errors=errors, closefd=False) as made:
            setattr(sys, name, made)
            yield
    finally:
        setattr(sys, name, before)
        os.dup2(saved, stream)
        os.close(saved)
