"""The meaning of a picture's path: whom it shows, in which modality, by which camera.

By default people are the folders directly above folders named after a modality (anna/visible/1.png), or the single ones
between such a folder and the picture (visible/anna/1.png); where the modality is given, the single folders between the
given folder and the picture (anna/1.png). Folders named after cameras (cam3), splits and days are nobody, and so is
whoever lies elsewhere. A camera is named by the file (cam3, _c03, 0001C6F0099, 192.168.1.64), else by a folder. A
pattern, a regular expression with named groups, says any of this otherwise; it alone says tracks and times.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from hicmd_tf.data.labels import UNKNOWN, number
from hicmd_tf.data.times import moment
from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES, Modality, modality_of

SPLIT_FOLDERS = frozenset({"train", "training", "test", "testing", "val", "validation", "query", "gallery", "probe"})

_ADDRESS = r"(?:\d{1,3}\.){3}\d{1,3}|(?:10|172|192)(?:-\d{1,3}){3}"
CAMERA_IN_NAME = (
    re.compile(rf"(?i:cam(?:era)?|(?:^|_)c)({_ADDRESS}|\d+(?:[a-z](?![A-Za-z\d]))?)"),
    re.compile(r"(?:^|[^A-Za-z])(?i:cam(?:era)?)[-_ ]?([A-Z](?![A-Za-z])|\d{1,2}(?=[-_ .]\w))"),
    re.compile(r"^\d{3,}C(\d+)[A-Z]\d{3,}"),
    re.compile(rf"^(?:\D*[-_ ])?({_ADDRESS})(?=[-_ ]|$)"),
)
CAMERA_FOLDER = re.compile(rf"({_ADDRESS})|(?i:cam(?:era)?)(?:[-_ ]|(?=\d|[A-Z]$))(\w[\w. -]*)")

_YEAR, _DAY = r"(?:19|20)\d\d", r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2]|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)"
_GAP, _TIME = "[-_. ,]{1,2}", r"[0-5]?\d(?:[-_.:hm][0-5]?\d?)*"
_DATE = (
    rf"(?<!\d)(?:{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{{4}}|\d{{6}})?"
    rf"|{_YEAR}{_GAP}{_MONTH}{_GAP}{_DAY}|{_DAY}{_GAP}{_MONTH}{_GAP}{_YEAR}|{_MONTH}{_GAP}{_DAY}{_GAP}{_YEAR})(?!\d)"
)
DAY = re.compile(rf"(?:{_DATE}[^/]*|(?:^|/){_YEAR}[-_. /]{_MONTH}(?:/{_DAY})?)(?:/{_TIME})*$", re.IGNORECASE)
"""A path that ends in a day, wherever it stands in a name (2026-11-05T08-30, session_20261105, 5 Nov 2026), in a month
of a year (2026/11), or in a time below one (2026-11-05/08)."""


class Said(NamedTuple):
    """A picture's labels, each None where it has none. identity_by, camera_by: which part of its path says so. track:
    the pictures that one camera took of one person in a row, by name. time: seconds since 1970."""

    identity: str | None
    modality: Modality | None
    camera: str | None
    split: str | None = None
    identity_by: str = ""
    camera_by: str = ""
    track: str | None = None
    time: float | None = None


def camera_of(stem: str) -> str | None:
    """The camera that a file's name, without its suffix, has; None when it has none."""
    return next((found[1] for pattern in CAMERA_IN_NAME if (found := pattern.search(stem))), None)


def camera_folder(name: str) -> str | None:
    """The camera that a folder is named after; None for a folder of anything else."""
    found = CAMERA_FOLDER.fullmatch(name)
    return found and (found[1] or found[2])


def read_path(
    folder: Path, name: str, modality: Modality | None, pattern: re.Pattern[str] | None = None
) -> Said | None:
    """A picture's labels by its path; None when the pattern does not match. Raises UserError when the path contradicts
    the modality, and for a time that is none.

    Args:
        folder: where the path begins. Its own name may be a modality's, and a day within its path makes 05 below it
            one.
        name: the path below it, with slashes.
        modality: of all pictures, where it was given.
        pattern: a regular expression with named groups, whose word counts before what stands above.
    """
    match = pattern.search(name) if pattern else None
    if pattern and not match:
        return None
    above, path = folder.absolute().parts, PurePosixPath(name)
    parts = path.parts[:-1]
    spelt = [modality_of(part) for part in (above[-1], *parts)]
    nearest = max((place for place, one in enumerate(spelt) if one), default=None)  # 0 is `folder` itself
    identity, identity_by = _person(above, parts, nearest)
    camera, camera_by = camera_of(path.stem), "the file's name"
    if camera is None:
        folders = (camera_folder(part) for part in reversed(parts))
        camera, camera_by = next((one for one in folders if one is not None), None), "a folder's name"
    said = Said(identity, None if nearest is None else spelt[nearest], camera, None, identity_by, camera_by)
    groups = match.groupdict() if match else {}
    if "identity" in groups:
        said = said._replace(identity=groups["identity"] or None, identity_by="the pattern")
    if "camera" in groups:
        text = groups["camera"] or ""
        said = said._replace(camera=camera_folder(text) or text or None, camera_by="the pattern")
    if "modality" in groups:
        said = said._replace(modality=modality_of(groups["modality"] or ""))
    said = said._replace(identity=known_name(said.identity))
    if modality and said.modality and said.modality != modality:
        raise UserError(
            f"{name} is {said.modality} by its path, but --modality says that all pictures are {modality}: leave "
            f"--modality out, or name a folder with {modality} pictures alone"
        )
    when = groups.get("time")
    try:
        time = moment(when) if when else None
    except ValueError as error:
        raise UserError(f"{name}: by the pattern its time is {error}") from error
    track = known_name(groups.get("track"))
    return said._replace(modality=said.modality or modality, split=groups.get("split"), track=track, time=time)


def known_name(text: str | None) -> str | None:
    """A label that says something; None for an empty one, for unknown and for negative numbers."""
    return text if text and text.strip() and number(text) != UNKNOWN else None


def _person(above: Sequence[str], parts: Sequence[str], nearest: int | None) -> tuple[str | None, str]:
    """Whom folders say, and which folder. nearest: place of the modality's among them, counted from 1."""
    own = [number for number, part in enumerate(parts) if camera_folder(part) is None]
    below = [number for number in own if number >= (nearest or 0)]
    before = [number for number in own if nearest and number < nearest - 1]
    if len(below) == 1:
        number, by = below[0], "the folder of the pictures" if nearest is None else "the folder below the modality's"
    elif before and not below:
        number, by = before[-1], "the folder above the modality's"
    else:
        return None, ""
    name, until = parts[number], (*above, *parts[: number + 1])
    dated = "/".join(part for part in until if not modality_of(part) and camera_folder(part) is None)
    nobody = modality_of(name) or name.casefold() in SPLIT_FOLDERS or DAY.search(dated)
    return None if nobody else name, by


def person_of(file: Path, modality: Modality | None) -> tuple[str | None, Modality]:
    """Whom a single picture shows by the folders that it lies in, one of which must be named after a modality; and its
    modality, which None leaves to them.

    Raises UserError when the folder that it lies in, or the one above, names the other modality, and where none says
    which it is.
    """
    file = file.absolute()
    near = next((m for m in map(modality_of, reversed(file.parts[-3:-1])) if m), modality)
    if modality is not None and near != modality:
        raise UserError(
            f"{file} lies in a folder of {near} pictures, but {modality} is said to be its modality: give its own"
        )
    root = Path(file.anchor)
    said = read_path(root, file.relative_to(root).as_posix(), None)
    taken = modality or (said and said.modality)
    if not taken:
        raise UserError(
            f"neither the path of {file} nor a table says its modality: give --modality {' or '.join(MODALITIES)}"
        )
    return (said.identity if said and said.modality else None), taken
