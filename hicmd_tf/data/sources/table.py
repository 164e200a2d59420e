"""`pictures.csv` in a folder of people's own pictures: who, in which modality, by which camera, in which split, when.

    path,modality,identity,camera,split,time,track
    2026/11/05/a.jpg,visible,anna,north,train,2026-11-05T08:30:12,north-17

It stands for what paths would say, so these may be anything. identity: empty for nobody. camera and split may be left
out: cameras as where no name has one, splits where nothing is trained. So may time (`times`) and track, the name of the
pictures that one camera took of one person in a row; where one is empty nothing is known of it.
"""

import csv
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from hicmd_tf.data.sources.paths import Said, known_name, modality_of, person_of
from hicmd_tf.data.times import moment
from hicmd_tf.errors import UserError, nearest, some
from hicmd_tf.files import read_text
from hicmd_tf.notation import MODALITIES, Modality

TABLE = "pictures.csv"
NEEDED, FURTHER = ("path", "modality", "identity"), ("camera", "split", "time", "track")
SPLITS = ("train", "test")
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "strokes"}
"""What programs also write between columns."""


def read_table(folder: Path, pictures: list[str]) -> dict[str, Said] | None:
    """What a folder's table says of each picture, by its path below the folder; None where there is no table.

    pictures: paths of those that there are. Raises UserError, with the line, for what makes no sense.
    """
    file = folder / TABLE
    if not file.is_file():
        return None
    found: dict[str, Said] = {}
    there = set(pictures)
    for place, path, said in _labelled(file):
        if path in found:
            raise UserError(f"{place}: {path} is listed twice: list every picture once")
        if path not in there:
            raise UserError(f"{place}: there is no picture {path[:80]!r} below {folder}: mend the path, or take it out")
        found[path] = said
    if not found:
        raise UserError(f"{file} lists no picture: expected a line for each, {', '.join((*NEEDED, *FURTHER))}")
    return found


def elsewhere(folder: Path, names: list[str]) -> str:
    """A warning of tables that are not read with a folder, for they lie above or below it; empty where none does.

    names: of files below the folder.
    """
    below = [name for name in names if name.endswith(f"/{TABLE}")]
    said = [
        f"{some(below, 3)} is not read: a table says what lies in its own folder; name that folder, or move the table "
        f"into {folder} and put {below[0].removesuffix(TABLE)} before its paths"
        if below
        else "",
        f"{folder.absolute().parent / TABLE} is not read with {folder.name} alone: name the folder that it lies in"
        if (folder.absolute().parent / TABLE).is_file()
        else "",
    ]
    return "; ".join(filter(None, said))


def whom(file: Path, modality: Modality) -> str | None:
    """Whom a single picture shows: as the nearest table above says that lists it, else as `person_of` reads its path.
    Raises UserError where the table, or the path, says that it is of the other modality."""
    file = Path(os.path.abspath(file))
    for folder in file.parents:
        said = _listed(folder / TABLE, file.relative_to(folder).as_posix())
        if said is None:
            continue
        if said.modality != modality:
            raise UserError(
                f"{file} is {said.modality} by {folder / TABLE}, but {modality} is said to be its modality: give its "
                f"own"
            )
        return said.identity
    return person_of(file, modality)


def _listed(table: Path, path: str) -> Said | None:
    """What a table says of a path; None without one, and of a file of that name that is something else."""
    if table.is_file():
        with suppress(UserError):
            return _all_of(table, table.stat().st_mtime_ns).get(path)
    return None


@lru_cache(maxsize=4)
def _all_of(table: Path, changed: int) -> dict[str, Said]:
    """What a table says, by path. changed: when the file did, so that a table is read once."""
    return {path: said for _, path, said in _labelled(table)}


def _labelled(file: Path) -> Iterator[tuple[str, str, Said]]:
    """What each line of a table says of which path, with its place for messages."""
    for place, row in _rows(file):
        path = row["path"].replace("\\", "/").removeprefix("./")
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
        labels = known_name(row["identity"]), modality, row.get("camera") or None, split, TABLE, TABLE
        yield place, path, Said(*labels, known_name(row.get("track")), time)


def _rows(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Every line of a table but its first by the names of the columns, with its place for messages."""
    text = read_text(file, "expected a table, commas between columns").removeprefix("\ufeff")
    lines = csv.reader(text.splitlines(), strict=True)
    try:
        columns = [name.strip().casefold() for name in next(lines, [])]
        wrong = _mistake(columns)
        if wrong:
            raise UserError(
                f"{file}: {wrong}: expected a first line of {', '.join(NEEDED)}, and, where they are known, "
                f"{', '.join(FURTHER)}, with commas between them and nothing else"
            )
        for values in lines:
            place = f"{file}, line {lines.line_num}"
            if len(values) != len(columns) and any(value.strip() for value in values):
                raise UserError(f"{place} has {len(values)} columns, expected {len(columns)}: {', '.join(columns)}")
            if any(value.strip() for value in values):
                yield place, dict(zip(columns, (value.strip() for value in values), strict=True))
    except csv.Error as error:
        raise UserError(f"{file}, line {lines.line_num}: {error}: quote a text that has commas or quotes") from error


def _mistake(columns: list[str]) -> str:
    """What is wrong with the names of columns, in words; empty where nothing is."""
    known = (*NEEDED, *FURTHER)
    if len(columns) == 1:
        separator = next((sign for sign in SEPARATORS if sign in columns[0]), None)
        if separator:
            return f"its columns have {SEPARATORS[separator]} between them"
    for name in columns:
        if name not in known:
            return f"there is no column {name[:40]!r}{nearest(name, known)}"
        if columns.count(name) > 1:
            return f"it has the column {name} twice"
    lacking = [name for name in NEEDED if name not in columns]
    return f"it has no column {lacking[0]}" if lacking else ""
