"""Figures as a table that reads like the literature's."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from hicmd_tf.errors import UserError
from hicmd_tf.files import read_json

Scores = Mapping[str, Mapping[str, float]]

COLUMNS = {"rank1": "R-1", "rank5": "R-5", "rank10": "R-10", "rank20": "R-20", "mAP": "mAP", "mINP": "mINP"}
NAMES = {"hicmd": "Hi-CMD", "raw_pixels": "raw pixels", "colour_histogram": "colour histogram"}
COMPARED = {
    "untrained": "the same networks untrained",
    "raw_pixels": "nearest raw pixels",
    "colour_histogram": "nearest colour histogram",
    "chance": "chance",
}
"""What a run is compared with, in words."""
DIRECTIONS = {"visible_to_infrared": "visible -> infrared", "infrared_to_visible": "infrared -> visible"}


def read_scores(file: Path, directions: Iterable[str]) -> Scores:
    """Figures by direction that a run's evaluation wrote. Raises UserError when one that a table has is not there."""
    found = read_json(file)
    try:
        return {d: {**found[d], **{key: float(found[d][key]) for key in COLUMNS}} for d in directions}
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(
            f"{file} has other figures than an evaluation has ({error}): take it from where it is whole, or delete it"
        ) from error


def table(rows: Mapping[str, Scores]) -> str:
    """A plain-text table in per cent: for each direction one line a row; in multiples of `chance` too, if that is one.

    rows: name -> direction -> figure -> fraction, in the same directions.
    """
    lines = []
    for direction in next(iter(rows.values())):
        chance = rows["chance"][direction]["rank1"] if "chance" in rows else None
        head = "".join(f"{label:>8}" for label in COLUMNS.values())
        lines.append(f"{DIRECTIONS[direction]:<22}{head}" + ("" if chance is None else "  R-1 / chance"))
        for name, scores in rows.items():
            figures = "".join(f"{100 * scores[direction][key]:8.2f}" for key in COLUMNS)
            multiple = "" if chance is None else f"  {scores[direction]['rank1'] / chance:12.1f}"
            lines.append(f"  {NAMES.get(name, name):<20}{figures}{multiple}")
    return "\n".join(lines)
