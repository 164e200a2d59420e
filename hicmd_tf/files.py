"""Files that are whole or absent, written under a temporary name beside the target and renamed; locks; and files that
are read as what they should be: never a pipe or a device, which may not end, and never more than a bound."""

import errno
import fcntl
import glob
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from hicmd_tf.errors import UserError

LARGEST_TEXT = 64 << 20
"""Bytes of a text file: the longest that is written, losses of a million steps, has some megabytes."""

LEFTOVER = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp")
LONGEST_NAME, LONGEST_PATH = 255, 4095  # bytes, of Linux and most others


def possible(path: str | Path) -> bool:
    """Whether a system could have a file of this name: no NUL, nothing that is no text, no name or path too long."""
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        return False
    longest = max(map(len, encoded.split(os.sep.encode())))
    return b"\0" not in encoded and len(encoded) <= LONGEST_PATH and longest <= LONGEST_NAME


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file to write that takes the place of `path` at the end, or is gone when something goes wrong.

    It has the mode of the file that it replaces, or else what the umask leaves. Raises UserError when it can't be
    written, or `path` is no file: a device must not be put out of its place.
    """
    temporary = _beside(path)
    try:
        _refuse_special(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            temporary.chmod(stat.S_IMODE(path.stat().st_mode))
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if os.path.lexists(temporary):
            temporary.unlink()


def check_writable(path: Path) -> None:
    """Tries whether `path` could be written, before long work is done for it. Raises UserError when it couldn't."""
    try:
        folder = next(one for one in path.absolute().parents if one.exists())
        _refuse_special(path)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


@contextmanager
def making_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that becomes `path` at the end, or is gone when something goes wrong; what a kill leaves is gone
    when the same folder is made again. Raises UserError when `path` is there already and isn't empty, can't be written,
    or is no name, as . and .. are none."""
    _refuse_existing(path)
    if path.name in ("", ".."):
        raise UserError(f"{path} is no name for a new folder: give one, such as {path / 'new'}")
    _sweep_beside(path)
    partial = _beside(path)
    try:
        partial.mkdir(parents=True)
        held = os.open(partial, os.O_RDONLY)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        _lock(held, fcntl.LOCK_EX)
        yield partial
        _refuse_existing(path)
        partial.rename(path)
    finally:
        os.close(held)
        shutil.rmtree(partial, ignore_errors=True)


def _sweep_beside(path: Path) -> None:
    """Deletes the folders that killed processes meant for `path`: nobody holds them any more."""
    for left in filter(is_leftover, path.parent.glob(f".{glob.escape(path.name)}.*.tmp")):
        with suppress(OSError):
            held = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
            try:
                if _lock(held, fcntl.LOCK_EX | fcntl.LOCK_NB):
                    shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(held)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def _refuse_special(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is no file that can be replaced: name another one")


def _refuse_existing(path: Path) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path} exists already: name another folder")


def _unwritable(path: Path, error: OSError) -> UserError:
    advice = "give a shorter name" if error.errno == errno.ENAMETOOLONG else "free space or name another place"
    return UserError(f"{path}: can't be written ({error.strerror}); {advice}")


def is_leftover(path: Path) -> bool:
    """Whether a file or folder has one of the temporary names: a kill leaves such, and so does who writes just now."""
    return LEFTOVER.fullmatch(path.name) is not None


def sweep(folder: Path) -> None:
    """Deletes what killed processes left half-written in a folder, which nobody else writes to: see `alone`."""
    for path in filter(is_leftover, folder.glob(".*.tmp")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _lock(file: IO[str] | int, how: int) -> bool:
    """Locks an open file until it is closed. False on a file system without locks. Raises BlockingIOError when another
    process holds it, and is not waited for."""
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


@contextmanager
def alone(lock: Path, busy: str) -> Iterator[None]:
    """Holds a lock file, which a process that ends gives back however it ends. Raises UserError `busy` when another
    process holds it."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    except OSError as error:
        raise _unwritable(lock.parent, error) from error
    with file:
        try:
            _lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(busy) from error
        yield


@contextmanager
def in_turn(lock: Path) -> Iterator[bool]:
    """Holds a lock file, and waits for whoever holds it; whether it is held. Where it can't be made nothing is: who can
    only read there needs none."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    except OSError:
        yield False
        return
    with file:
        yield _lock(file, fcntl.LOCK_EX)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text as a whole."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Writes JSON as a whole, keys in their own order."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_bytes(path: Path, expected: str, most: int = LARGEST_TEXT) -> bytes:
    """The content of a file. expected: what it should be, or what to do, for messages.

    Raises UserError when it is missing, can't be read, is larger than `most` or no file: a pipe may never end.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
            raise UserError(f"{path} is {kind}, no file: {expected}")
        if found.st_size > most:
            raise UserError(f"{path} has {found.st_size:,} bytes, more than {most:,}: {expected}")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no path has a NUL in it
        raise UserError(f"{path} can't be read ({getattr(error, 'strerror', error)}): {expected}") from error


def read_text(path: Path, expected: str, most: int = LARGEST_TEXT) -> str:
    """The content of a text file in UTF-8. Raises UserError as `read_bytes` does, and for anything but text."""
    try:
        return read_bytes(path, expected, most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file in UTF-8: {expected}") from error


def read_json(path: Path) -> Any:
    """Reads JSON, whose numbers are finite. Raises UserError when the file is missing or damaged."""
    text = read_text(path, "expected JSON")
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not JSON ({error}); delete it to have it made again") from error


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number of JSON")
