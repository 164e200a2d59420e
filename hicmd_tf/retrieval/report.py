"""Figures as a table that reads like the literature's."""

from collections.abc import Mapping

Scores = Mapping[str, Mapping[str, float]]

COLUMNS = {"rank1": "R-1", "rank5": "R-5", "rank10": "R-10", "rank20": "R-20", "mAP": "mAP", "mINP": "mINP"}
NAMES = {"hicmd": "Hi-CMD", "raw_pixels": "raw pixels", "colour_histogram": "colour histogram"}
DIRECTIONS = {"visible_to_infrared": "visible -> infrared", "infrared_to_visible": "infrared -> visible"}


def table(rows: Mapping[str, Scores]) -> str:
    """A plain-text table in per cent: for each direction one line a row. rows: name -> direction -> figure -> fraction;
    one of them is `chance`."""
    lines = []
    for direction, title in DIRECTIONS.items():
        lines.append(f"{title:<22}" + "".join(f"{label:>8}" for label in COLUMNS.values()) + "  R-1 / chance")
        for name, scores in rows.items():
            figures = "".join(f"{100 * scores[direction][key]:8.2f}" for key in COLUMNS)
            multiple = scores[direction]["rank1"] / rows["chance"][direction]["rank1"]
            lines.append(f"  {NAMES.get(name, name):<20}{figures}  {multiple:12.1f}")
    return "\n".join(lines)
