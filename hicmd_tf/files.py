"""Files that are whole or absent: written under a temporary name beside the target, then renamed. And files that are
read as what they should be: never a pipe or a device, which may not end, and never more than a bound."""

import fcntl
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from hicmd_tf.errors import UserError

LARGEST_TEXT = 64 << 20
"""Bytes of a text file: the longest that is written, losses of a million steps, has some megabytes."""

LEFTOVER = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp")  # a temporary name, as tempfile makes it below

LONGEST_NAME, LONGEST_PATH = 255, 4095  # bytes, of Linux and most others


def possible(path: str | Path) -> bool:
    """Whether a system could have a file of this name: no NUL, nothing that is no text, no name or path too long."""
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        return False
    names = encoded.split(os.sep.encode())
    return b"\0" not in encoded and len(encoded) <= LONGEST_PATH and max(map(len, names)) <= LONGEST_NAME


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file to write that takes the place of `path` at the end, or leaves no trace when something goes wrong.

    Raises UserError when the folder can't be written, or `path` is no file: a device must not be put out of its place.
    """
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is no file that can be replaced: name another one")
        made = _make_parents(path)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise UserError(f"{path}: can't be written ({error.strerror}); give a folder that you may write to") from error
    try:
        with os.fdopen(handle, "wb") as file:
            _held(handle)
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
    except OSError as error:
        os.unlink(temporary)
        raise UserError(f"{path}: can't be written ({error.strerror}); free space or choose another folder") from error
    except BaseException:
        os.unlink(temporary)
        raise
    finally:
        _drop_empty(made)


@contextmanager
def making_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that becomes `path` at the end, or leaves no trace when something goes wrong.

    Raises UserError when `path` is there already and isn't empty, or can't be written.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path} exists already: name another folder")
    try:
        made = _make_parents(path)
        partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    except OSError as error:
        raise UserError(f"{path}: can't be written ({error.strerror}); give a folder that you may write to") from error
    try:
        yield partial
        partial.chmod(0o755)
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        _drop_empty(made)


def _make_parents(path: Path) -> list[Path]:
    """Makes the folders that a path lies in; returns those that were not there, the innermost first."""
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    return made


def _drop_empty(folders: Sequence[Path]) -> None:
    """Deletes those of the folders that nothing was put into."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def is_leftover(path: Path) -> bool:
    """Whether a file or folder has one of the temporary names: a kill leaves such, and so does who writes just now."""
    return LEFTOVER.fullmatch(path.name) is not None


def sweep(folder: Path) -> None:
    """Deletes the files that killed processes left half-written in a folder. What another process writes just now, or
    can't be locked or deleted, stays."""
    for path in filter(is_leftover, folder.glob(".*.tmp")):
        with suppress(OSError):
            handle = os.open(path, os.O_RDWR)
            try:
                if _held(handle):
                    path.unlink()
            finally:
                os.close(handle)


def _held(handle: int) -> bool:
    """Locks an open file until it is closed, so that `sweep` leaves it alone; says whether that was possible."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def alone(lock: Path, busy: str) -> Iterator[None]:
    """Holds a lock file, which a process that ends gives back however it ends. Raises UserError `busy` when another
    process holds it. Where a file system has no locks nothing is held."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(
            f"{lock.parent}: can't be written ({error.strerror}); name a folder that you may write to"
        ) from (error)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(busy) from error
        yield
    finally:
        os.close(handle)


@contextmanager
def in_turn(lock: Path) -> Iterator[None]:
    """Holds a lock file, and waits for whoever holds it. Where none can be made, or the file system has no locks,
    nothing is held: who only reads needs none."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text as a whole."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Writes JSON as a whole, keys in their own order."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_bytes(path: Path, expected: str, most: int = LARGEST_TEXT) -> bytes:
    """What a file holds. expected: what it should be, or what to do, for messages.

    Raises UserError when it is missing, can't be read, is larger than `most` or no file: a pipe may never end.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, a socket or a device"
            raise UserError(f"{path} is {kind}, no file: {expected}")
        if found.st_size > most:
            raise UserError(f"{path} has {found.st_size:,} bytes, more than {most:,}: {expected}")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no path has a NUL in it
        raise UserError(f"{path} can't be read ({_reason(error)}): {expected}") from error


def read_text(path: Path, expected: str, most: int = LARGEST_TEXT) -> str:
    """What a text file in UTF-8 holds. Raises UserError as `read_bytes` does, and for anything but text."""
    try:
        return read_bytes(path, expected, most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file in UTF-8: {expected}") from error


def read_json(path: Path) -> Any:
    """Reads JSON, whose numbers are finite. Raises UserError when the file is missing or damaged."""
    text = read_text(path, "expected JSON")
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not JSON ({error}); delete it to have it made again") from error


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
