"""Files that are whole or absent: written under a temporary name beside the target, then renamed. And files that are
read as what they should be: never a pipe or a device, which may not end, and never more than a bound."""

import errno
import fcntl
import glob
import json
import os
import re
import secrets
import shutil
import stat
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from hicmd_tf.errors import UserError

LARGEST_TEXT = 64 << 20
"""Bytes of a text file: the longest that is written, losses of a million steps, has some megabytes."""

LEFTOVER = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp")  # a temporary name, as `_temporary` makes it

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

    It has the mode of the file that it replaces, or else what the umask leaves. Raises UserError when the folder can't
    be written, or `path` is no file: a device must not be put out of its place.
    """
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is no file that can be replaced: name another one")
        made = _make_parents(path)
        temporary, handle = _temporary(path, lambda new: os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if path.exists():
                os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
            os.replace(temporary, path)
    except OSError as error:
        os.unlink(temporary)
        raise UserError(f"{path}: can't be written ({error.strerror}); free space or choose another folder") from error
    except BaseException:
        os.unlink(temporary)
        raise
    finally:
        _drop_empty(made)


def check_writable(path: Path, option: str | None = "--out") -> None:
    """Tries whether `path` could be written, before long work is done for it; leaves no trace. option: by which
    another one is named, for the message. Raises UserError when it couldn't."""
    try:
        with replacing(path):
            raise _OnlyTried
    except _OnlyTried:
        pass
    except UserError as error:
        raise UserError(f"{error} with {option}" if option else str(error)) from error


class _OnlyTried(Exception):  # noqa: N818 (no error)
    """Nothing is to be written."""


@contextmanager
def making_folder(path: Path, otherwise: Callable[[], Path] | None = None) -> Iterator[Path]:
    """A folder to fill that becomes `path` at the end, or leaves no trace when something goes wrong.

    otherwise: finds another name when a process beside made `path` in the meantime. Raises UserError when `path` is
    there already and isn't empty, or can't be written.
    """
    _refuse_existing(path)

    def new(folder: Path) -> int:
        folder.mkdir()
        return os.open(folder, os.O_RDONLY)

    try:
        made = _make_parents(path)
        partial, handle = _temporary(path, new)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield partial
        while True:
            try:
                os.rename(partial, path)
                break
            except OSError:
                if otherwise is None:
                    _refuse_existing(path)
                    raise
                path, before = otherwise(), path
                if path == before:
                    raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        os.close(handle)
        _drop_empty(made)


def _refuse_existing(path: Path) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path} exists already: name another folder")


def _unwritable(path: Path, error: OSError) -> UserError:
    advice = "give a shorter name" if error.errno == errno.ENAMETOOLONG else "give a folder that you may write to"
    return UserError(f"{path}: can't be written ({error.strerror}); {advice}")


def _temporary(path: Path, new: Callable[[Path], int]) -> tuple[Path, int]:
    """A new file or folder beside `path`, open and locked so that nobody sweeps it; sweeps what was left of others."""
    sweep(path.parent, path.name)
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            handle = new(temporary)
        except FileExistsError:
            continue
        _lock(handle, wait=True)
        if temporary.exists():  # not swept before it was locked
            return temporary, handle
        os.close(handle)


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


def sweep(folder: Path, name: str | None = None) -> None:
    """Deletes what killed processes left half-written in a folder: files and folders, of any name or of one. What
    another process writes just now, or can't be locked or deleted, stays."""
    for path in filter(is_leftover, folder.glob(f".{'*' if name is None else glob.escape(name)}.*.tmp")):
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
            try:
                if _lock(handle, wait=False):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(handle)


def _lock(handle: int, wait: bool) -> bool:
    """Locks an open file or folder until it is closed. False where the file system has no locks. Raises
    BlockingIOError when another process holds it, and is not waited for."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno == errno.EACCES:  # as some file systems say it
            raise BlockingIOError(error.errno, error.strerror) from error
        return False
    return True


@contextmanager
def alone(lock: Path, busy: str) -> Iterator[None]:
    """Holds a lock file, which a process that ends gives back however it ends. Raises UserError `busy` when another
    process holds it. Warns where the file system has no locks."""
    try:
        handle = _opened(lock)
    except OSError as error:
        raise UserError(
            f"{lock.parent}: can't be written ({error.strerror}); name a folder that you may write to"
        ) from error
    try:
        try:
            held = _lock(handle, wait=False)
        except BlockingIOError as error:
            raise UserError(busy) from error
        if not held:
            _warn_of_no_locks(lock)
        yield
    finally:
        os.close(handle)


@contextmanager
def in_turn(lock: Path) -> Iterator[bool]:
    """Holds a lock file, another user's too, and waits for whoever holds it; says whether it is held. Where there is
    none, and none can be made, nothing is: who only reads needs none. Warns where the file system has no locks."""
    try:
        handle = _opened(lock)
    except OSError:
        try:
            handle = os.open(lock, os.O_RDONLY)
        except OSError:
            yield False
            return
    try:
        held = _lock(handle, wait=True)
        if not held and os.access(lock, os.W_OK):
            _warn_of_no_locks(lock)
        yield held
    finally:
        os.close(handle)


def _opened(lock: Path) -> int:
    lock.parent.mkdir(parents=True, exist_ok=True)
    return os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)


def _warn_of_no_locks(lock: Path) -> None:
    warnings.warn(
        f"{lock.parent} lies on a file system without locks: nothing keeps other processes from writing there at the "
        f"same time, so start none",
        stacklevel=4,
    )


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
