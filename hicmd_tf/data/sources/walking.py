"""Files below a folder: pictures by their names, and what is passed over, which is counted and named."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hicmd_tf.errors import UserError, counted, printable, some, waiting

PICTURES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
JUNK = frozenset({"thumbs.db", "desktop.ini", "@eadir", "#recycle", "$recycle.bin", "__macosx", "lost+found"})
"""Names that systems and storage devices leave in folders, in lower case; nobody's pictures."""
NAMED = 6  # files that a line names
NO_PICTURES = f"no picture by its name, which ends in {', '.join(PICTURES)}"
AGAIN = "a folder that is read by another name, too"
NO_TEXT = "a name that is not in UTF-8"

Passed = dict[str, list[str]]
"""Names of what is passed over, by the reason in words."""


class Walk(NamedTuple):
    """pictures: their paths below the folder, with slashes, sorted. passed: what else there is."""

    pictures: list[str]
    passed: Passed


def walked(folder: Path) -> Walk:
    """Everything below a folder, at any depth, but for hidden files and `JUNK`.

    Links are followed to other places, each of which is read once: so a walk ends, and no picture comes twice. Raises
    UserError for a folder that can't be listed.
    """

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename} can't be listed ({error.strerror}): let it be read") from error

    waiting(f"looking through {printable(str(folder))}")
    found, root = Walk([], {}), os.path.realpath(folder)
    seen = {root}
    for place, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        below = "" if place == str(folder) else f"{os.path.relpath(place, folder)}/"
        kept = []
        for name in sorted(filter(_counts, folders)):
            target = os.path.realpath(os.path.join(place, name))
            inside = os.path.islink(os.path.join(place, name)) and target.startswith(f"{root}/")
            if target in seen or inside:
                found.passed.setdefault(AGAIN, []).append(below + name)
            else:
                seen.add(target)
                kept.append(name)
        folders[:] = kept
        for name in (below + name for name in files if _counts(name)):
            if not _is_text(name):
                found.passed.setdefault(NO_TEXT, []).append(name)
            elif not name.lower().endswith(PICTURES):
                found.passed.setdefault(NO_PICTURES, []).append(name)
            else:
                found.pictures.append(name)
    for names in (found.pictures, *found.passed.values()):
        names.sort()
    return found


def _counts(name: str) -> bool:
    """Whether a file or folder of this name is worth a word."""
    return not (name.startswith(".") and not name.startswith("..")) and name.casefold() not in JUNK


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # Linux lets files have any bytes for a name
        return False
    return True


def sentences(passed: Mapping[str, Sequence[str]]) -> list[str]:
    """The files passed over, one line per reason: how many, and some by name."""
    return [
        f"{counted(len(names), 'file')} passed over: {some(names, NAMED)} ({reason})"
        for reason, names in ((reason, [*map(printable, names)]) for reason, names in passed.items())
        if names
    ]
