"""Files below a folder: pictures by their names, and what is passed over, which is counted and named."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from hicmd_tf.data.sources.records import PICTURES
from hicmd_tf.errors import printable, some

JUNK = frozenset(
    {
        "thumbs.db",
        "desktop.ini",
        "@eadir",
        "#recycle",
        "$recycle.bin",
        "__macosx",
        "lost+found",
        "system volume information",
    }
)
"""What systems and storage devices leave in folders, in lower case; nobody's pictures."""
NAMED = 6  # files that a line names
NO_PICTURES = f"no picture by its name, which ends in {', '.join(PICTURES)}"
AGAIN = "a folder that is read by another name, too"
NO_FILE = "a link to nothing, or no regular file"

Passed = dict[str, list[str]]
"""Names of what is passed over, by the reason in words."""


class Walk(NamedTuple):
    """pictures: their paths below the folder, with slashes, sorted. passed: what else there is."""

    pictures: list[str]
    passed: Passed


def ignored(name: str) -> bool:
    """Whether a file or folder of this name is nobody's picture and not worth a word: hidden ones, and `JUNK`."""
    hidden = name.startswith(".") and not name.startswith("..")
    return hidden or name.casefold() in JUNK


def walked(folder: Path) -> Walk:
    """Everything below a folder, at any depth, through links, but for what is `ignored`.

    A folder is read once, by its own name where it lies below, else by the first link to it: so a walk ends, and no
    picture comes twice. Raises OSError for a folder that can't be listed.
    """
    found = Walk([], {})
    waiting, links, seen = [""], list[str](), set[str]()
    while waiting or links:
        below = waiting.pop() if waiting else links.pop(links.index(min(links)))
        place = os.path.realpath(folder / below)
        if place in seen:
            found.passed.setdefault(AGAIN, []).append(below.rstrip("/"))
            continue
        seen.add(place)
        for entry in _entries(folder / below):
            name = below + entry.name
            if _is(os.path.isdir, entry, entry.is_dir):
                (links if entry.is_symlink() else waiting).append(f"{name}/")
            elif not is_picture(name):
                found.passed.setdefault(NO_PICTURES, []).append(name)
            elif _is(os.path.isfile, entry, entry.is_file):
                found.pictures.append(name)
            else:
                found.passed.setdefault(NO_FILE, []).append(name)
    for names in (found.pictures, *found.passed.values()):
        names.sort()
    return found


def is_picture(name: str) -> bool:
    """Whether a file is a picture by its name."""
    return PurePosixPath(name).suffix.lower() in PICTURES


def pictures(folder: Path) -> list[Path]:
    """Pictures in a folder itself, sorted; none when it isn't there."""
    if not folder.is_dir():
        return []
    return sorted(Path(entry.path) for entry in _entries(folder) if is_picture(entry.name))


def folders(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted, but for what is `ignored`."""
    return sorted(entry.name for entry in _entries(folder) if os.path.isdir(entry.path))


def sentences(passed: Mapping[str, Iterable[str]]) -> list[str]:
    """What is passed over, one line per reason: how many, and some by name, those of every suffix first."""
    return [_sentence(reason, list(names)) for reason, names in passed.items() if names]


def _sentence(reason: str, names: list[str]) -> str:
    first = {PurePosixPath(name).suffix.lower(): name for name in reversed(names)}
    ordered = [*sorted(first.values()), *(name for name in names if name not in first.values())]
    files = "file" if len(names) == 1 else "files"
    return f"{len(names):,} {files} passed over: {some([*map(printable, ordered)], NAMED)} ({reason})"


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if not ignored(entry.name))


def _is(kind: Callable[[str], bool], entry: os.DirEntry[str], known: Callable[..., bool]) -> bool:
    """Whether an entry, or what it links to, is of a kind; asks the disk only about links."""
    return kind(entry.path) if entry.is_symlink() else known(follow_symlinks=False)
