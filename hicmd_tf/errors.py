"""Errors of a user or of a machine, and how a command reports them: one line, exit code 2."""

import difflib
import errno
import importlib.util
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

EXIT_CODE = 2
INTERRUPTED = 130  # as shells say it of a program that Ctrl-C ended; SIGTERM is answered alike
ADVICE = {  # to errors of a disk or a machine, which can come wherever a file is used
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG): "free space, then give the same command again",
    (errno.EACCES, errno.EPERM, errno.EROFS): "name a file or folder that you may use, or let it be used",
    (errno.ENAMETOOLONG, errno.ELOOP): "name a file or folder that can be there",
    (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE): "mend the machine, then give the same command again",
}
EXTRAS = {  # what brings packages that not everyone needs
    **dict.fromkeys(("onnx", "onnxruntime", "tf2onnx", "tensorflow_serving"), "export"),
    **dict.fromkeys(("faiss", "pyarrow"), "search"),
    **dict.fromkeys(("ray", "fsspec"), "batch"),
    **dict.fromkeys(("starlette", "uvicorn", "httpx"), "serve"),
    **dict.fromkeys(("keras_tuner", "grpc"), "tuning"),
    **{"pymilvus": "milvus", "nicegui": "explore", "torch": "torch", "jax": "jax", "jaxlib": "jax"},
    "skimage": "baselines",
}
NEAR = 0.65
"""The likeness, 0 to 1, from which on a name is suggested for another."""
SHORTEST = 3  # letters that begin a name, so that it is suggested
PLURALS = {"person": "people"}
_WAITS: list[str] = []
OURS = ("hicmd_tf", "bench")
PARENT = "HICMD_TF_PARENT_PROCESS"
"""Number of the process of a command that started this one, and without which it ends."""


class UserError(Exception):
    """A mistake that the user can mend. The message is one line: the thing, what was expected, what to do."""


def run_command(main: Callable[[], None]) -> None:
    """Runs a command-line entry point. A UserError, a package that is not there, a full disk, a folder that can't be
    written or memory that is out becomes one line on standard error and exit code 2; Ctrl-C and SIGTERM become one line
    and exit code 130."""
    warnings.showwarning = _warn
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # which schedulers send
    try:
        main()
        sys.stdout.flush()
    except UserError as error:
        refuse(str(error))
    except ModuleNotFoundError as error:
        lacking = missing(error)
        if lacking is None:
            raise
        refuse(lacking)
    except KeyboardInterrupt:
        stop("stopped", "nothing is half-written, the same command begins again")
    except BrokenPipeError:  # who reads our output has enough of it, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(INTERRUPTED)
    except Exception as error:
        reason = _of_the_machine(error)
        if reason is None:
            raise
        refuse(reason)
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def limited(minutes: float | None) -> Iterator[None]:
    """After so many minutes, if any are given, does what SIGTERM does here at that moment: a training ends with a
    checkpoint, anything else with KeyboardInterrupt. Of the main thread."""

    def over(_: int, frame: FrameType | None) -> None:
        with suppress(OSError):  # there is no standard error; print may not be called where it may be interrupted
            os.write(2, f"\n{minutes:g} minutes are over\n".encode())
        handler = signal.getsignal(signal.SIGTERM)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGTERM, frame)

    if minutes is None:
        yield
        return
    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, 60 * minutes)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def require(*packages: str) -> None:
    """Raises ModuleNotFoundError for a package that is not installed, before work is done that ends in its use."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)


def missing(error: BaseException) -> str | None:
    """The message for a package that is not installed; None for other errors, such as a missing module of our own."""
    package = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if not package or package in OURS or package in sys.stdlib_module_names:
        return None
    if EXTRAS.get(package) == "jax":
        return f"the package {package} is not installed: pip install 'hicmd-tf[jax-cuda]' brings it, [jax] for a CPU"
    if package in EXTRAS:
        return f"the package {package} is not installed: pip install 'hicmd-tf[{EXTRAS[package]}]' brings it"
    return (
        f"the package {package} is not installed for {sys.executable}: start this with the Python that hicmd_tf was "
        f"installed for (make env: .venv/bin/python), or pip install . in its folder"
    )


def begun_by_a_command() -> bool:
    """Whether a command of this package started this process."""
    return PARENT in os.environ


def stop(message: str, advice: str = "") -> NoReturn:
    """Ends the program, which was asked to, with a line. advice: how to go on, which the command says that started this
    process, where one did: for what was typed there."""
    print(message if begun_by_a_command() or not advice else f"{message}; {advice}", file=sys.stderr)
    sys.exit(INTERRUPTED)


def _of_the_machine(error: Exception) -> str | None:
    """The message for an error of a disk or memory, which neither the user nor this program made; None for others."""
    said = " ".join(str(error).split())
    # The engines' own, known by name, for importing them takes seconds.
    exhausted = type(error).__name__ == "ResourceExhaustedError"
    of_jax = type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError")
    out = (exhausted and ("OOM" in said or "alloc" in said)) or (of_jax and "RESOURCE_EXHAUSTED" in said)
    if isinstance(error, MemoryError) or out:
        return (
            f"memory is out ({said[:200]}): take fewer pictures at a time (batch.*, training.embed_batch), "
            f"training.precision mixed_bfloat16 or training.memory low"
        )
    if exhausted:  # which is said of disks, too
        return f"{said[:300]}: {os.strerror(errno.ENOSPC)}: free space, then give the same command again"
    if (type(error).__name__ == "UnimplementedError" or (of_jax and "UNIMPLEMENTED" in said)) and "eterminis" in said:
        return (
            f"this GPU has no kernel that gives the same bits every time ({said[:200]}): take training.deterministic "
            f"false, or the CPU, with CUDA_VISIBLE_DEVICES=-1"
        )
    if not isinstance(error, OSError):
        return None
    advice = next((advice for numbers, advice in ADVICE.items() if error.errno in numbers), None)
    return None if advice is None else f"{error.filename or 'a file'}: {error.strerror}: {advice}"


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    notice(f"warning: {_line(str(message))}")


def notice(line: str) -> None:
    """A line on standard error, above a progress bar where there is one."""
    from tqdm import tqdm  # here: what is missing is said by `run_command`

    tqdm.write(line, file=sys.stderr)


def announce_waits() -> None:
    """From here on `waiting` says something: this process is a command."""
    _WAITS.append("")


def waiting(line: str) -> None:
    """A notice of what takes seconds and shows nothing else meanwhile, once. To who calls from Python none is given."""
    if _WAITS and line not in _WAITS:
        _WAITS.append(line)
        notice(f"{line} ..")


def refuse(message: str) -> NoReturn:
    """Ends the program with an error's line."""
    print(f"error: {_line(message)}", file=sys.stderr)
    sys.exit(EXIT_CODE)


def nearest(name: str, names: Iterable[str]) -> str:
    """The most similar of the names in brackets, or nothing where none is near. Dashes before options don't count; of a
    dotted name the last part alone may be meant."""
    text = name.lstrip("-")

    def likeness(one: str) -> float:
        whole = one.lstrip("-")
        if len(text) >= SHORTEST and whole.startswith(text):
            return 1.0
        parts = (whole, whole.rpartition(".")[2])
        return max(difflib.SequenceMatcher(None, part, text).ratio() for part in parts)

    found = max(names, key=likeness, default="")
    return f" (nearest: {found})" if found and likeness(found) >= NEAR else ""


def counted(count: int, thing: str) -> str:
    """So many things in words: `1 picture`, `2,000 test identities`. thing: one of them."""
    before, _, noun = thing.rpartition(" ")
    many = PLURALS.get(noun) or (f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s")
    return " ".join(filter(None, (f"{count:,}", before, noun if count == 1 else many)))


def some(names: Sequence[object], most: int) -> str:
    """The first `most` of several things, and how many others there are: `a, b and 3 more`."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def printable(text: str) -> str:
    """A text, such as the name of a file, without characters that would steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def _line(message: str) -> str:
    return printable(" ".join(message.split()))
