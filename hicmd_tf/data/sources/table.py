"""`pictures.csv` in a folder of people's own pictures: who, in which modality, by which camera, in which split.

    path,modality,identity,camera,split
    2026/11/05/a.jpg,visible,anna,north,train

It stands for what paths would say, so these may be anything. identity: empty for nobody. camera and split may be left
out: cameras as where no name has one, splits where nothing is trained.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from hicmd_tf.data.labels import UNKNOWN, number
from hicmd_tf.data.sources.paths import Said, modality_of
from hicmd_tf.errors import UserError
from hicmd_tf.files import read_text
from hicmd_tf.notation import MODALITIES

TABLE = "pictures.csv"
NEEDED, FURTHER = ("path", "modality", "identity"), ("camera", "split")
SPLITS = ("train", "test")


def read_table(folder: Path, pictures: list[str]) -> dict[str, Said] | None:
    """What a folder's table says of each picture, by its path below the folder; None where there is no table.

    pictures: paths of those that there are. Raises UserError, with the line, for what makes no sense.
    """
    file = folder / TABLE
    if not file.is_file():
        return None
    found: dict[str, Said] = {}
    there = set(pictures)
    for place, row in _rows(file):
        path = row["path"].replace("\\", "/").removeprefix("./")
        if path in found:
            raise UserError(f"{place}: {path} is listed twice: list every picture once")
        if path not in there:
            raise UserError(f"{place}: there is no picture {path[:80]!r} below {folder}: mend the path, or take it out")
        modality = modality_of(row["modality"])
        if modality is None:
            raise UserError(f"{place}: modality is {row['modality'][:40]!r}: expected {' or '.join(MODALITIES)}")
        split = row.get("split")
        if split is not None and split not in SPLITS:
            raise UserError(f"{place}: split is {split[:40]!r}: expected {' or '.join(SPLITS)}")
        identity = row["identity"] if row["identity"] and number(row["identity"]) != UNKNOWN else None
        found[path] = Said(identity, modality, row.get("camera") or None, split, TABLE, TABLE)
    if not found:
        raise UserError(f"{file} lists no picture: expected a line for each, {', '.join((*NEEDED, *FURTHER))}")
    return found


def _rows(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Every line of a table but its first by the names of the columns, with its place for messages."""
    text = read_text(file, "expected a table, commas between columns").removeprefix("\ufeff")
    lines = csv.reader(text.splitlines(), strict=True)
    try:
        columns = [name.strip().casefold() for name in next(lines, [])]
        unknown = [name for name in columns if name not in (*NEEDED, *FURTHER)]
        if unknown or len(set(columns)) < len(columns) or not {*NEEDED} <= {*columns}:
            raise UserError(
                f"{file}: its first line is {', '.join(columns)[:120]!r}: expected {', '.join(NEEDED)}, and, where "
                f"they are known, {' and '.join(FURTHER)}, with commas between them and nothing else"
            )
        for values in lines:
            place = f"{file}, line {lines.line_num}"
            if len(values) != len(columns) and any(value.strip() for value in values):
                raise UserError(f"{place} has {len(values)} columns, expected {len(columns)}: {', '.join(columns)}")
            if any(value.strip() for value in values):
                yield place, dict(zip(columns, (value.strip() for value in values), strict=True))
    except csv.Error as error:
        raise UserError(f"{file}, line {lines.line_num}: {error}: quote a text that has commas or quotes") from error
