"""The meaning of a picture's path: whom it shows, in which modality, by which camera.

By default people are the folders directly above folders named after a modality (anna/visible/1.png), or the single ones
between such a folder and the picture (visible/anna/1.png); where the modality is given, the single folders between the
given folder and the picture (anna/1.png). Folders named after cameras (cam3), splits, days and times are nobody, and so
is whoever lies elsewhere. A camera is named by the file (cam3, _c03, 0001C6F0099, 192.168.1.64), else by a folder.
A pattern, a regular expression with named groups, says any of this otherwise.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality

SPELLINGS: dict[str, Modality] = {
    **dict.fromkeys(("visible", "visiblelight", "vis", "rgb", "color", "colour"), VISIBLE),
    **dict.fromkeys(("infrared", "nearinfrared", "farinfrared", "thermalinfrared", "thermal"), INFRARED),
    **dict.fromkeys(("ir", "nir", "fir", "swir", "mwir", "lwir", "tir"), INFRARED),
}
"""How folders name a modality, in lower case and without spaces, hyphens and underscores."""
SPLIT_FOLDERS = frozenset({"train", "training", "test", "testing", "val", "validation", "query", "gallery", "probe"})

_ADDRESS = r"(?:\d{1,3}\.){3}\d{1,3}|(?:10|172|192)(?:-\d{1,3}){3}"
_MOMENT = r"(?:[01]\d|2[0-3])(?:(?:-[0-5]\d){2}-|(?:\.[0-5]\d){2}\.(?=\d{3}))"  # and a count, milliseconds; no address
CAMERA_IN_NAME = (
    re.compile(rf"(?:cam(?:era)?|(?:^|_)c)(?P<label>{_ADDRESS})", re.IGNORECASE),
    re.compile(r"cam(?:era)?(?P<label>\d+[a-z])(?![a-z\d])", re.IGNORECASE),
    re.compile(r"(?:cam(?:era)?|(?:^|_)c)(?P<label>\d+)", re.IGNORECASE),
    re.compile(r"(?:^|[^A-Za-z])[Cc]am(?:era)?(?P<label>[A-Z])(?![A-Za-z])"),
    re.compile(r"(?:^|[^a-z])cam(?:era)?[-_ ](?P<label>\d{1,2})(?=[-_ .]\w)", re.IGNORECASE),
    re.compile(r"^\d{3,}C(?P<label>\d+)[A-Z]\d{3,}"),
    re.compile(rf"(?:^|[-_ ])(?!{_MOMENT})(?P<label>{_ADDRESS})(?=[-_ ]|$)"),
)
CAMERA_FOLDER = (
    re.compile(rf"(?:cam(?:era)?[-_ ]?)?(?P<label>{_ADDRESS})", re.IGNORECASE),
    re.compile(r"cam(?:era)?[-_ ]?(?P<label>\d[\w. -]*)", re.IGNORECASE),
    re.compile(r"[Cc]am(?:era)?(?P<label>[A-Z])"),
    re.compile(r"cam(?:era)?[-_ ](?P<label>\w[\w. -]*)", re.IGNORECASE),
)

_YEAR = r"(?:19|20)\d\d"
_MONTH, _DAY = r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH_NAME = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_CLOCK = r"(?:[01]?\d|2[0-3])(?:[-_.:h][0-5]\d(?:[-_.:m][0-5]\ds?)?|h)"
YEAR = re.compile(_YEAR)
MONTH = re.compile(rf"{_MONTH}|(?:{_MONTH}[-_ .]?)?{_MONTH_NAME}", re.IGNORECASE)
DAY = re.compile(_DAY)
HOUR = re.compile(r"[0-5]\d")
DATE = re.compile(
    rf"(?<!\d)(?:{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{{4}}|\d{{6}})?"
    rf"|{_YEAR}([-_. ]){_MONTH}\1{_DAY}|{_DAY}([-_. ]){_MONTH}\2{_YEAR}|{_MONTH}([-_. ]){_DAY}\3{_YEAR}"
    rf"|{_YEAR}[-_. ]?{_MONTH_NAME}[-_. ]?{_DAY}|{_DAY}[-_. ]*{_MONTH_NAME}[-_. ]*{_YEAR}"
    rf"|(?<![A-Za-z]){_MONTH_NAME}[-_. ]*{_DAY}[-_., ]+{_YEAR})(?!\d)",
    re.IGNORECASE,
)
"""A day, perhaps with a time, wherever it stands in a name: 2026-11-05T08-30, session_20261105, 5 Nov 2026."""
MONTH_OF_YEAR = re.compile(rf"{_YEAR}[-_. ](?:{_MONTH}|{_MONTH_NAME}|w\d\d)|{_MONTH_NAME}[-_. ]{_YEAR}", re.IGNORECASE)
TIME = re.compile(_CLOCK, re.IGNORECASE)
ALIKE = (re.compile(r"\d+", re.ASCII), re.compile(r"\d+[-_.:]\d+", re.ASCII))
"""Forms of names, of which all in a folder are parts of a day, or none is: 2013 beside 0007, 1_23 beside 1_75."""


class Said(NamedTuple):
    """What is said of a picture, each None where nothing is. identity_by, camera_by: which part of its path says so."""

    identity: str | None
    modality: Modality | None
    camera: str | None
    split: str | None = None
    identity_by: str = ""
    camera_by: str = ""


def modality_of(name: str) -> Modality | None:
    """The modality that a folder's name, or a part of a path, spells; None when it spells none."""
    return SPELLINGS.get(re.sub(r"[-_ ]", "", name).casefold())


def camera_of(stem: str) -> str | None:
    """The camera that a file's name, without its suffix, has; None when it has none."""
    return _first(pattern.search(stem) for pattern in CAMERA_IN_NAME)


def camera_folder(name: str) -> str | None:
    """The camera that a folder is named after; None for a folder of anything else."""
    return _first(pattern.fullmatch(name) for pattern in CAMERA_FOLDER)


def _first(found: Iterable[re.Match[str] | None]) -> str | None:
    return next((match["label"] for match in found if match), None)


class Paths:
    """What the paths of pictures below a folder say, by the default rule, and by a pattern where there is one.

    modality: of all pictures, where it was given. folder: where the paths begin; its own name may be a modality's, and
    a day within its path makes 05 below it one. names: of all pictures, for days are known from people by what lies
    beside them.
    """

    def __init__(
        self, folder: Path, names: Iterable[str], modality: Modality | None, pattern: re.Pattern[str] | None = None
    ) -> None:
        self._here = folder.absolute().name
        self._modality, self._pattern = modality, pattern
        self._days = days(folder.absolute().parts[1:], names)

    def read(self, name: str) -> Said | None:
        """What a path says, below the folder and with slashes; None when the pattern does not match.

        Raises UserError when it contradicts the modality that was given.
        """
        said = self._by_default(name)
        if self._pattern is None:
            return said
        match = self._pattern.search(name)
        if match is None:
            return None
        groups = match.groupdict()
        if "identity" in groups:
            said = said._replace(identity=groups["identity"] or None, identity_by="the pattern")
        if "camera" in groups:
            text = groups["camera"]
            said = said._replace(camera=text and (camera_folder(text) or text), camera_by="the pattern")
        if "modality" in groups:
            said = said._replace(modality=self._agreed(_spelt(groups["modality"], name), name))
        return said._replace(split=groups.get("split"))

    def _by_default(self, name: str) -> Said:
        path = PurePosixPath(name)
        parts = path.parts[:-1]
        of = [modality_of(part) for part in (self._here, *parts)]
        place = max((number for number, one in enumerate(of) if one), default=None)  # of the nearest, here is 0
        modality = self._modality if place is None else self._agreed(of[place], name)
        identity, by = self._identity(parts, place)
        camera, camera_by = camera_of(path.stem), "the file's name"
        if camera is None:
            camera, camera_by = _first_of(camera_folder(part) for part in reversed(parts)), "a folder's name"
        return Said(identity, modality, camera, None, by, camera_by)

    def _identity(self, parts: Sequence[str], place: int | None) -> tuple[str | None, str]:
        """Whom folders say, and which folder. place: of the modality's among them, counted from 1; 0 is `folder`."""
        begin = place or 0
        between = [number for number in range(begin, len(parts)) if camera_folder(parts[number]) is None]
        if len(between) == 1:
            by = "the folder of the pictures" if place is None else "the folder below the modality's"
            return self._person(parts, between[0]), by
        if place and not between:
            above = [number for number in range(place - 1) if camera_folder(parts[number]) is None]
            return (self._person(parts, above[-1]) if above else None), "the folder above the modality's"
        return None, ""

    def _person(self, parts: Sequence[str], number: int) -> str | None:
        name = parts[number]
        nobody = modality_of(name) or name.casefold() in SPLIT_FOLDERS or "/".join(parts[: number + 1]) in self._days
        return None if nobody else name

    def _agreed(self, said: Modality | None, name: str) -> Modality | None:
        if self._modality and said and said != self._modality:
            raise UserError(
                f"{name} is {said} by its path, but --modality says that all pictures are {self._modality}: leave "
                f"--modality out, or name a folder with {self._modality} pictures alone"
            )
        return said or self._modality


def _first_of(found: Iterable[str | None]) -> str | None:
    return next((one for one in found if one is not None), None)


def _spelt(text: str | None, name: str) -> Modality | None:
    found = modality_of(text) if text else None
    if text and found is None:
        raise UserError(
            f"{name}: the pattern's modality is {text!r}, expected {' or '.join(MODALITIES)}, or another word for it "
            f"such as rgb, ir or thermal"
        )
    return found


def person_of(file: Path, modality: Modality) -> str | None:
    """Whom a single picture shows by the folders that it lies in, one of which must be named after a modality.

    Raises UserError when that is the folder that it lies in, or the one above, and names the other modality.
    """
    file = file.absolute()
    root = Path(file.anchor)
    name = file.relative_to(root).as_posix()
    near = next((m for m in map(modality_of, reversed(file.parts[-3:-1])) if m), modality)
    if near != modality:
        raise UserError(
            f"{file} lies in a folder of {near} pictures, but --modality says that it is {modality}: give its own"
        )
    said = Paths(root, [name], None).read(name)
    return said.identity if said and said.modality else None


def days(above: Sequence[str], names: Iterable[str]) -> set[str]:
    """Folders, as paths, that are days, times or parts of them (2026-11-05, and 2026, 2026/11, 2026/11/05).

    above: folders that all lie in, outermost first. names: of files below them. A number, or two, is a part of a day
    only where all such beside it are: 2013 beside 0007 is a person. Folders of modalities and cameras may lie between a
    month and its days.
    """
    children: dict[str, set[str]] = {}
    for name in {str(PurePosixPath(name).parent) for name in names} - {"."}:
        parts = name.split("/")
        for number, part in enumerate(parts):
            children.setdefault("/".join(parts[:number]), set()).add(part)
    within = ""
    for part in above:
        within = _unit(within, part) or _kept(within, part)
    found: set[str] = set()
    waiting = [("", within)]
    while waiting:
        parent, within = waiting.pop()
        units = {child: _unit(within, child) for child in children.get(parent, ())}
        for form in ALIKE:
            alike = {child for child in units if form.fullmatch(child)}
            if not all(units[child] for child in alike):
                units |= dict.fromkeys(alike, "")
        for child, unit in units.items():
            path = f"{parent}/{child}" if parent else child
            waiting.append((path, unit or _kept(within, child)))
            if unit:
                found.add(path)
    return found


def _kept(within: str, name: str) -> str:
    """Which unit of time a folder lies in that is none itself, and does not end it."""
    return within if modality_of(name) or camera_folder(name) is not None else ""


def _unit(within: str, name: str) -> str:
    """Which unit of time a folder is, in a folder of another one; empty for none."""
    units: Mapping[str, tuple[re.Pattern[str], str]] = {
        "year": (MONTH, "month"),
        "month": (DAY, "day"),
        "day": (HOUR, "time"),
        "time": (HOUR, "time"),
    }
    if within in units and units[within][0].fullmatch(name):
        return units[within][1]
    if DATE.search(name):
        return "day"
    kinds = ((MONTH_OF_YEAR, "month"), (YEAR, "year"), (TIME, "time"))
    return next((unit for pattern, unit in kinds if pattern.fullmatch(name)), "")
