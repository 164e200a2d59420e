"""Who was asked for whom, in figures: a table for each figure and direction, each run's own numbers, and a picture."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf import tables
from hicmd_tf.retrieval.evaluation import BOUNDED, Row
from hicmd_tf.retrieval.report import COLUMNS, DIRECTIONS, passed_over
from hicmd_tf.runs.progress import Figures
from hicmd_tf.tables import spread
from hicmd_tf.tuning.comparison_table import NONE, SIDES, statistics

Unlearned = dict[str, dict[str, Figures]]
"""Name -> column -> direction -> figure -> fraction, of rows that need no learning."""


class Carried(NamedTuple):
    """One learned row: on whom it was trained, in words; by seed its runs' folders, and what they find: column ->
    direction -> figures."""

    name: str
    trained: str
    runs: dict[int, str]
    found: dict[int, dict[str, dict[str, Row]]]

    @property
    def first(self) -> dict[str, dict[str, Row]]:
        """What the first run finds."""
        return next(iter(self.found.values()))

    def rows(self, column: str, way: str) -> list[Row]:
        """Of each seed; none where the column has no such direction."""
        return [of[column][way] for of in self.found.values() if way in of[column]]

    def at_chance(self, column: str, way: str, figure: str) -> bool:
        """Whether the interval of rank1 or mAP begins above chance for no seed."""
        seeds = self.rows(column, way)
        return bool(seeds) and all(figure in one.at_chance for one in seeds)

    def means(self, column: str) -> list[Figures]:
        """Of each seed."""
        return [{way: row.mean for way, row in of[column].items()} for of in self.found.values()]


def as_markdown(rows: Sequence[Carried], unlearned: Unlearned, who: Mapping[str, str]) -> str:
    """The page. who: column -> its people in words."""
    parts = ["# Carry-over\n"]
    for way, direction in DIRECTIONS.items():
        for figure in BOUNDED:
            found = table(rows, unlearned, list(who), way, figure)
            if any(cell != NONE for line in found[1:] for cell in line[2:]):
                parts.append(f"## {COLUMNS[figure]}, {direction}\n\n{tables.as_markdown(found, SIDES)}")
    lines = [*_notes(rows), *(f"{column}: {words}" for column, words in who.items())]
    for column in who:
        lines += [f"{column}: {line}" for line in passed_over([*rows[0].first[column].values()])]
    parts.append("".join(f"* {line}\n" for line in lines))
    return "\n".join(parts)


def table(
    rows: Sequence[Carried], unlearned: Unlearned, columns: Sequence[str], way: str, figure: str
) -> list[list[str]]:
    """One figure of one direction, per cent: mean and deviation over seeds, with a star where no seed is above
    chance."""
    found = [["", "seeds", *columns]]
    for name, of in unlearned.items():
        cells = [f"{100 * of[column][way][figure]:.1f}" if way in of[column] else NONE for column in columns]
        found.append([name, NONE, *cells])
    for row in rows:
        cells = [
            spread([100 * one.mean[figure] for one in row.rows(column, way)]) + "*" * row.at_chance(column, way, figure)
            for column in columns
        ]
        found.append([row.name, ", ".join(map(str, row.found)), *cells])
    return found


def shares(
    rows: Sequence[Carried], unlearned: Unlearned, columns: Sequence[str]
) -> dict[str, dict[str, dict[str, float]]]:
    """Direction -> row -> column -> mean rank-1 over seeds, a fraction; without columns that lack the direction."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for way in DIRECTIONS:
        known = [column for column in columns if rows[0].rows(column, way)]
        learned = {
            row.name: {c: float(np.mean([one.mean["rank1"] for one in row.rows(c, way)])) for c in known}
            for row in rows
        }
        simple = {name: {c: of[c][way]["rank1"] for c in known} for name, of in unlearned.items()}
        if known:
            found[way] = {**simple, **learned}
    return found


def stars(rows: Sequence[Carried], columns: Sequence[str]) -> set[tuple[str, str, str]]:
    """(direction, row, column) of those of `shares` that are not above chance."""
    return {
        (way, row.name, one)
        for way in DIRECTIONS
        for row in rows
        for one in columns
        if row.at_chance(one, way, "rank1")
    }


def _notes(rows: Sequence[Carried]) -> list[str]:
    several = any(len(row.found) > 1 for row in rows)
    return [
        "per cent" + ("; mean ± deviation of a sample over seeds" if several else ""),
        "*: not above chance: the 95 % interval over people of no seed begins above it; of runs alone, for rows that "
        "need no learning have no interval",
        *(f"{row.name}: trained on {row.trained}" for row in rows),
    ]


def as_csv(rows: Sequence[Carried], unlearned: Unlearned) -> str:
    """One line per row, seed, column and direction: fractions, and the ends of the intervals."""
    ends = [f"{name}_{end}" for name in BOUNDED for end in ("low", "high")]
    found: list[list[object]] = [["row", "seed", "run", "people", "direction", *COLUMNS, *ends]]
    for name, of in unlearned.items():
        for column, ways in of.items():
            for way, figures in ways.items():
                found.append([name, None, None, column, way, *(figures[key] for key in COLUMNS), *[None] * len(ends)])
    for row in rows:
        for seed, known in row.found.items():
            for column, asked in known.items():
                for way, one in asked.items():
                    between = [end for name in BOUNDED for end in one.between[name]] if one.between else []
                    means = [one.mean[key] for key in COLUMNS]
                    found.append([row.name, seed, row.runs[seed], column, way, *means, *between])
    return tables.as_csv(found)


def as_json(rows: Sequence[Carried], unlearned: Unlearned, people: Mapping[str, Any]) -> dict[str, Any]:
    """Everything: who was asked for, means, deviations (none of one seed), each run with what evaluate says of it."""
    return {
        "people": dict(people),
        "without_learning": unlearned,
        "rows": [
            {
                "name": row.name,
                "trained_on": row.trained,
                "found": {column: statistics(row.means(column)) for column in people},
                "runs": [
                    {
                        "seed": seed,
                        "run": row.runs[seed],
                        "found": {
                            column: {way: one._asdict() for way, one in asked.items()}
                            for column, asked in known.items()
                        },
                    }
                    for seed, known in row.found.items()
                ],
            }
            for row in rows
        ],
    }
