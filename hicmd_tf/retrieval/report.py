"""Figures as tables that read like the literature's, and what is to be said of them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hicmd_tf import tables
from hicmd_tf.errors import UserError, counted
from hicmd_tf.files import read_json
from hicmd_tf.retrieval.evaluation import BOUNDED, FEW, Row
from hicmd_tf.retrieval.verification import FIGURES, Verified

Scores = Mapping[str, Mapping[str, float]]

COLUMNS = {"rank1": "R-1", "rank5": "R-5", "rank10": "R-10", "rank20": "R-20", "mAP": "mAP", "mINP": "mINP"}
NAMES = {
    "hicmd": "Hi-CMD",
    "embedding": "embedding",
    "raw_pixels": "raw pixels",
    "colour_histogram": "colour histogram",
    "hog": "HOG",
    "lomo": "LOMO",
}
COMPARED = {
    "untrained": "the same networks untrained",
    "raw_pixels": "nearest raw pixels",
    "colour_histogram": "nearest colour histogram",
    "chance": "chance",
}
"""References that a run is compared with, in words."""
DIRECTIONS = {"visible_to_infrared": "visible -> infrared", "infrared_to_visible": "infrared -> visible"}
SIDES = "<<>"


def read_scores(file: Path, directions: Iterable[str]) -> Scores:
    """Figures by direction that a run's evaluation wrote. Raises UserError when one that a table has is not there."""
    return scores_in(read_json(file), file, directions)


def scores_in(found: Any, file: Path, directions: Iterable[str]) -> Scores:
    """The same of what is read from the file already."""
    try:
        return {d: {**found[d], **{key: float(found[d][key]) for key in COLUMNS}} for d in directions}
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(
            f"{file} has other figures than an evaluation has ({error}): take it from where it is whole, or delete it"
        ) from error


def table(rows: Mapping[str, Scores]) -> str:
    """A plain-text table in per cent, one line per direction and row; in multiples of `chance` too, if that is one.

    rows: name -> direction -> figure -> fraction, in the same directions.
    """
    chance = rows.get("chance")
    lines = [["", "", *COLUMNS.values(), *(["R-1 / chance"] if chance else [])]]
    for direction in next(iter(rows.values())):
        for name, scores in rows.items():
            figures = [f"{100 * scores[direction][key]:.2f}" for key in COLUMNS]
            ratio = [f"{scores[direction]['rank1'] / chance[direction]['rank1']:.1f}"] if chance else []
            lines.append([DIRECTIONS[direction], NAMES.get(name, name), *figures, *ratio])
    return tables.as_text(lines, SIDES)


def as_text(rows: Sequence[Row]) -> str:
    """A plain-text table in per cent, with deviations where there are several trials, and the notes below it."""
    return "\n".join([tables.as_text(_cells(rows), SIDES), *notes(rows)])


def as_markdown(rows: Sequence[Row]) -> str:
    """The same as a Markdown table, without notes."""
    return tables.as_markdown(_cells(rows), SIDES)


def as_csv(rows: Sequence[Row]) -> str:
    """One line per row, fractions; empty what a row does not know."""
    counts = ["trials", "queries", "unanswered"]
    ends = [f"{name}_{end}" for name in BOUNDED for end in ("low", "high")]
    deviations, chances = [f"{name}_deviation" for name in COLUMNS], [f"chance_{name}" for name in COLUMNS]
    lines: list[list[object]] = [
        ["direction", "setting", "reranked", *counts, *COLUMNS, *deviations, "people", *ends, *chances]
    ]
    for row in rows:
        known = [row.direction, row.setting, row.reranked, row.trials, row.queries, row.unanswered]
        figures = [of[name] for of in (row.mean, row.deviation) for name in COLUMNS]
        between = [end for name in BOUNDED for end in row.between[name]] if row.between else [None] * len(ends)
        random = [row.chance[name] if row.chance else None for name in COLUMNS]
        lines.append([*known, *figures, row.people or None, *between, *random])
    return tables.as_csv(lines)


def notes(rows: Sequence[Row]) -> list[str]:
    """What is passed over, and figures not above a random ranking, one line each."""
    at_chance = [_at_chance(row, row.chance, row.between) for row in rows if row.chance and row.between]
    return [*passed_over(rows), *filter(None, at_chance)]


def passed_over(rows: Sequence[Row]) -> list[str]:
    """Queries that count nowhere, and cameras that hide matches, one line each."""
    unanswered = [
        f"{row.title}: {row.unanswered} of {row.queries * row.trials} queries have no picture of their identity that "
        "they may see, and count nowhere"
        for row in rows
        if row.unanswered
    ]
    return [*unanswered, *dict.fromkeys(row.hidden for row in rows if row.hidden)]


def _at_chance(row: Row, chance: Mapping[str, float], between: Mapping[str, Sequence[float]]) -> str:
    what = " and ".join(
        f"{COLUMNS[name]} {100 * row.mean[name]:.1f} (95 %: {100 * between[name][0]:.1f} to "
        f"{100 * between[name][1]:.1f}; chance {100 * chance[name]:.1f})"
        for name in row.at_chance
    )
    few = f", of {counted(row.people, 'person')}, who are few," if row.people < FEW else ""
    return what and f"not above chance{few} {DIRECTIONS[row.direction]}, {row.title}: {what}"


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    lines = [["direction", "setting", "trials", *COLUMNS.values(), "chance R-1"]]
    for row in rows:
        figures = [
            f"{100 * row.mean[name]:.2f}" + (f" ± {100 * row.deviation[name]:.2f}" if row.trials > 1 else "")
            for name in COLUMNS
        ]
        random = f"{100 * row.chance['rank1']:.2f}" if row.chance else "-"
        lines.append([DIRECTIONS[row.direction], row.title, str(row.trials), *figures, random])
    return lines


def verification_as_text(found: Sequence[Verified]) -> str:
    """A plain-text table of verification and open sets in per cent, one line per direction and figure that the data can
    state, and below it why others are not."""
    head, *lines = _verified(found)
    return "\n".join([*([tables.as_text([head, *lines], SIDES)] if lines else []), *_unstated(found)])


def verification_as_markdown(found: Sequence[Verified]) -> str:
    """The same as a Markdown table, without reasons."""
    return tables.as_markdown(_verified(found), SIDES)


def verification_as_csv(found: Sequence[Verified]) -> str:
    """One line per direction and figure, fractions; empty what the data can't state."""
    lines: list[list[object]] = [
        ["direction", "figure", "value", "low", "high", "threshold", "people", "same", "strangers", "queries"]
    ]
    for one in found:
        counts = [one.people, one.same, one.strangers, one.queries]
        for name in FIGURES:
            cells: Sequence[object] = one.figures.get(name) or [None] * 3
            lines.append([one.direction, name, *cells, one.thresholds.get(name), *counts])
    return tables.as_csv(lines)


def _verified(found: Sequence[Verified]) -> list[list[str]]:
    lines = [["direction", "figure", "value", "95 %", "similarity from"]]
    for one in found:
        for name, stated in one.figures.items():
            if stated is not None:
                value, low, high = (100 * part for part in stated)
                threshold = f"{one.thresholds[name]:.4f}" if name in one.thresholds else "-"
                lines.append([DIRECTIONS[one.direction], name, f"{value:.2f}", f"{low:.1f} to {high:.1f}", threshold])
    return lines


def _unstated(found: Sequence[Verified]) -> list[str]:
    """The pairs, and why figures are not stated, one line each."""
    lines = [
        f"{DIRECTIONS[one.direction]}: {counted(one.same, 'pair')} of one person, {one.strangers:,} of two, "
        + counted(one.people, "person")
        + (f"; of the queries {one.left_out:,} are left out, evenly, for there are too many pairs" * (one.left_out > 0))
        for one in found
    ]
    reasons: dict[str, dict[str, None]] = {}
    for name, why in (pair for one in found for pair in one.why.items()):
        reasons.setdefault(why, {})[name] = None
    verbs = {1: "is"}
    return [*lines, *(f"{', '.join(of)} {verbs.get(len(of), 'are')} not stated: {why}" for why, of in reasons.items())]
