"""`pictures.csv` in a folder of people's own pictures, or above it: who, in which modality, by which camera, when.

    path,modality,identity,camera,split,time,track
    2026/11/05/a.jpg,visible,anna,north,train,2026-11-05T08:30:12,north-17

It stands for what paths would say, so these may be anything. identity: empty for nobody. camera and split may be left
out: cameras as where no name has one, splits where nothing is trained. So may time (`times`) and track, the name of the
pictures that one camera took of one person in a row; where one is empty nothing is known of it.
"""

import csv
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from hicmd_tf.data.sources.paths import Said, known_name, person_of
from hicmd_tf.data.times import moment
from hicmd_tf.errors import UserError, nearest, some
from hicmd_tf.files import read_text
from hicmd_tf.notation import MODALITIES, Modality, modality_of

TABLE = "pictures.csv"
NEEDED, FURTHER = ("path", "modality", "identity"), ("camera", "split", "time", "track")
SPLITS = ("train", "test")
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "strokes"}
"""What programs also write between columns."""


class Table(NamedTuple):
    """A table, and what it says of each picture below the folder that was asked for, by its path below that folder.
    cameras: whether it names any at all."""

    file: Path
    said: dict[str, Said]
    cameras: bool


class NoTableError(UserError):
    """A file called as a table is that is something else."""


def read_table(folder: Path, pictures: list[str]) -> Table | None:
    """A folder's table, or else the nearest above that lists pictures below the folder; None where there is none.

    pictures: paths of those that there are. Raises UserError, with the line, for what makes no sense. Warns of a file
    above that is called so and is no table.
    """
    own, there = folder / TABLE, set(pictures)
    if own.is_file():
        return _part_of(own, "", there, folder)
    for table, path in tables_above(folder):
        try:
            found = _part_of(table, f"{path}/", there, folder)
        except NoTableError as error:
            warnings.warn(f"{error}; it is not read with {folder}", stacklevel=2)
            continue
        if found.said:
            return found
    return None


def _part_of(file: Path, below: str, there: set[str], folder: Path) -> Table:
    """What a table says of the pictures below a folder. below: how their paths begin in the table."""
    every: dict[str, Said] = {}
    for place, path, said in _labelled(file):
        if path in every:
            raise UserError(f"{place}: {path} is listed twice: list every picture once")
        every[path] = said
        name = path.removeprefix(below)
        if path.startswith(below) and name not in there:
            wrong = (
                f"{path[:80]!r} is absolute: write it as it is below {file.parent}"
                if Path(path).is_absolute()
                else f"there is no picture {name[:80]!r} below {folder}: mend the path, or take it out"
            )
            raise UserError(f"{place}: {wrong}")
    if not every:
        raise UserError(f"{file} lists no picture: expected a line for each, {', '.join((*NEEDED, *FURTHER))}")
    part = {path.removeprefix(below): said for path, said in every.items() if path.startswith(below)}
    return Table(file, part, any(said.camera for said in every.values()))


def tables_above(place: Path) -> Iterator[tuple[Path, str]]:
    """Files called as tables are that lie above a file or folder, the nearest first, each with its path from there: as
    the place is spelt, then as it is without links."""
    for path in dict.fromkeys((os.path.abspath(place), os.path.realpath(place))):
        for folder in Path(path).parents:
            if (folder / TABLE).is_file():
                yield folder / TABLE, Path(path).relative_to(folder).as_posix()


def elsewhere(folder: Path, names: list[str], pattern: str) -> str:
    """A warning of files below a folder without a table that are called as tables are, and not read with it; empty
    where there are none.

    names: of files below the folder. pattern: what says what the pictures are, if anything does. Raises UserError for a
    table of the folder's own that is spelt otherwise, and, without a pattern, for tables below.
    """
    spelt = [name for name in names if name.casefold() == TABLE]
    if spelt:
        raise UserError(f"{folder / spelt[0]} is not read: a table is called {TABLE}, in small letters; rename it")
    below = [name for name in names if name.endswith(f"/{TABLE}")]
    if not below:
        return ""
    tables = [] if pattern else [name for name in below if _is_table(folder / name)]
    first = (tables or below)[0]
    said = (
        f"{some(tables or below, 3)} is not read: a table says what lies in its own folder; name that folder, or move "
        f"the table into {folder} and put {first.removesuffix(TABLE)} before its paths"
    )
    if tables:
        raise UserError(said)
    return said


def _is_table(file: Path) -> bool:
    """Whether a file called as a table is has its columns."""
    try:
        next(_rows(file), None)
    except NoTableError:
        return False
    except UserError:  # a line of it is wrong
        return True
    return True


def whom(file: Path, modality: Modality | None) -> tuple[str | None, Modality]:
    """Whom a single picture shows, and in which modality: as the nearest table above says that lists it, else as
    `person_of` reads its path.

    modality: that which is said to be its; None: nobody says. Raises UserError where the table, or the path, says that
    it is of the other, and where nothing says which.
    """
    for table, path in tables_above(file):
        said = _listed(table, path)
        if said is None or said.modality is None:
            continue
        if modality not in (None, said.modality):
            raise UserError(
                f"{file} is {said.modality} by {table}, but {modality} is said to be its modality: give its own"
            )
        return said.identity, said.modality
    return person_of(file, modality)


def _listed(table: Path, path: str) -> Said | None:
    """What a table says of a path; None of a file of that name that is something else."""
    with suppress(NoTableError):
        return _all_of(table, table.stat().st_mtime_ns).get(path)
    return None


@lru_cache(maxsize=4)
def _all_of(table: Path, changed: int) -> dict[str, Said]:
    """What a table says, by path. changed: when the file did, so that a table is read once."""
    return {path: said for _, path, said in _labelled(table)}


def _labelled(file: Path) -> Iterator[tuple[str, str, Said]]:
    """What each line of a table says of which path, with its place for messages."""
    for place, row in _rows(file):
        yield place, *label(place, row, TABLE)


def label(place: str, row: Mapping[str, str], by: str) -> tuple[str, Said]:
    """The path in a row, by the names of the columns, and what the row says of it. place: for messages. by: what says
    so, in a word. Raises UserError for what makes no sense."""
    modality = modality_of(row["modality"])
    if modality is None:
        raise UserError(f"{place}: modality is {row['modality'][:40]!r}: expected {' or '.join(MODALITIES)}")
    split = row.get("split")
    if split is not None and split not in SPLITS:
        raise UserError(f"{place}: split is {split[:40]!r}: expected {' or '.join(SPLITS)}")
    try:
        time = moment(row["time"]) if row.get("time") else None
    except ValueError as error:
        raise UserError(f"{place}: time is {error}") from error
    labels = known_name(row.get("identity")), modality, row.get("camera") or None, split, by, by
    return row["path"].replace("\\", "/").removeprefix("./"), Said(*labels, known_name(row.get("track")), time)


def _rows(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Every line of a table but its first by the names of the columns, with its place for messages."""
    try:
        text = read_text(file, "expected a table, commas between columns").removeprefix("\ufeff")
    except UserError as error:
        raise NoTableError(str(error)) from error
    return rows_in(str(file), text.splitlines())


def rows_in(
    file: str, text: Iterable[str], needed: Sequence[str] = NEEDED, further: Sequence[str] = FURTHER
) -> Iterator[tuple[str, dict[str, str]]]:
    """The same of lines of text. needed: columns that there must be. further: those that there may be."""
    lines = csv.reader(text, strict=True)
    try:
        columns = [name.strip().casefold() for name in next(lines, [])]
        refuse_columns(
            file, columns, needed, further, "a first line of ", ", with commas between them and nothing else"
        )
        for values in lines:
            place = f"{file}, line {lines.line_num}"
            if len(values) != len(columns) and any(value.strip() for value in values):
                raise UserError(f"{place} has {len(values)} columns, expected {len(columns)}: {', '.join(columns)}")
            if any(value.strip() for value in values):
                yield place, dict(zip(columns, (value.strip() for value in values), strict=True))
    except csv.Error as error:
        raise UserError(f"{file}, line {lines.line_num}: {error}: quote a text that has commas or quotes") from error


def refuse_columns(
    file: str, columns: Sequence[str], needed: Sequence[str], further: Sequence[str], before: str, after: str
) -> None:
    """Raises NoTableError where the names of columns are not those of a table. further: columns that there may be.
    before, after: what the message says around the names that are expected."""
    wrong = _mistake(columns, needed, further)
    if wrong:
        raise NoTableError(
            f"{file}: {wrong}: expected {before}{', '.join(needed)}, and, where they are known, {', '.join(further)}"
            f"{after}"
        )


def _mistake(columns: Sequence[str], needed: Sequence[str], further: Sequence[str]) -> str:
    """What is wrong with the names of columns, in words; empty where nothing is."""
    known = (*needed, *further)
    lacking = [name for name in needed if name not in columns]
    if len(columns) == 1:
        separator = next((sign for sign in SEPARATORS if sign in columns[0]), None)
        if separator:
            return f"its columns have {SEPARATORS[separator]} between them"
    for name in columns:
        if name not in known:
            missing = f"; {', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing" if lacking else ""
            return f"unknown column {name[:40]!r}{nearest(name, known)}{missing}"
        if columns.count(name) > 1:
            return f"it has the column {name} twice"
    return f"it has no column {lacking[0]}" if lacking else ""
