"""Figures as a table that reads like the literature's."""

from collections.abc import Mapping

Scores = Mapping[str, Mapping[str, float]]

COLUMNS = {"rank1": "R-1", "rank5": "R-5", "rank10": "R-10", "rank20": "R-20", "mAP": "mAP", "mINP": "mINP"}
NAMES = {"hicmd": "Hi-CMD", "raw_pixels": "raw pixels", "colour_histogram": "colour histogram"}
DIRECTIONS = {"visible_to_infrared": "visible -> infrared", "infrared_to_visible": "infrared -> visible"}


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
