"""Paths that are no files: what lies where a file, or a folder, is expected."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

Make = Callable[[Path], Path]
"""(an empty folder) -> the path to name"""


def _nothing(folder: Path) -> Path:
    return folder / "nothing-here"


def _folder(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def _empty(folder: Path) -> Path:
    (folder / "empty-file").touch()
    return folder / "empty-file"


def _text(folder: Path) -> Path:
    (folder / "text").write_text("What is this?\n")
    return folder / "text"


def _binary(folder: Path) -> Path:
    (folder / "binary").write_bytes(bytes(range(256)) * 16)
    return folder / "binary"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def _circle(folder: Path) -> Path:
    (folder / "one").symlink_to(folder / "two")
    (folder / "two").symlink_to(folder / "one")
    return folder / "one"


def _dangling(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "gone")
    return folder / "link"


def _socket(folder: Path) -> Path:
    here = os.open(".", os.O_RDONLY)
    os.chdir(folder)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
    os.fchdir(here)
    os.close(here)
    return folder / "socket"


def _below_file(folder: Path) -> Path:
    return _text(folder) / "below"


PLACES: dict[str, Make] = {
    "nothing": _nothing,
    "an empty folder": _folder,
    "an empty file": _empty,
    "a text": _text,
    "binary": _binary,
    "a pipe": _pipe,
    "a socket": _socket,
    "a circle of links": _circle,
    "a dangling link": _dangling,
    "a path below a file": _below_file,
    "/dev/null": lambda _: Path("/dev/null"),
    "/dev/zero": lambda _: Path("/dev/zero"),
    "/dev/full": lambda _: Path("/dev/full"),
    "a name too long": lambda folder: folder / ("n" * 300),
    "a path too long": lambda folder: folder.joinpath(*["n" * 200] * 30),
    "a NUL": lambda folder: folder / "a\0b",
    "empty text": lambda _: Path(),
    "the root": lambda _: Path("/"),
    "bytes that are no text": lambda folder: folder / os.fsdecode(b"\xff\xfe"),
    "control characters": lambda folder: folder / "a\nb\x1b[31m",
}
LINKED = tuple(name for name in PLACES if name not in ("a NUL", "a path too long", "empty text"))
"""What a link can lead to."""


def story(name: str) -> str:
    """In words."""
    return f"{name} in its place"
