"""Descriptors judged as a data set's published tables do (imports no TensorFlow)."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from hicmd_tf.data.samples import Samples
from hicmd_tf.retrieval.chance import chance
from hicmd_tf.retrieval.galleries import Search
from hicmd_tf.retrieval.hidden import refuse_hidden
from hicmd_tf.retrieval.intervals import FEW, over_identities
from hicmd_tf.retrieval.metrics import score, summary
from hicmd_tf.retrieval.report import COLUMNS, DIRECTIONS

Array = np.ndarray[Any, Any]
Figures = dict[str, float]

BOUNDED = ("rank1", "mAP")
"""Figures that have an interval."""
CHANCE = "chance R-1"


class Row(NamedTuple):
    """One line of a table.

    mean, deviation: over `trials` galleries, fractions by name as `summary` has them; the deviation is that of a
    population, as the literature prints, 0 for one gallery. queries: how many were asked. unanswered: how many of them,
    summed over trials, had no picture of their identity that they may see, and count nowhere.
    people: who was asked for, and has an answer. chance: the same figures of a random ranking. between: lowest and
    highest of the 95 % interval of rank1 and mAP over these people. These three are missing where several models were
    averaged, or an earlier version wrote the row. hidden: in words, which cameras hide all matches of some queries;
    empty where none do, or where the published tables are made so.
    """

    setting: str
    direction: str
    reranked: bool
    trials: int
    queries: int
    unanswered: int
    mean: Figures
    deviation: Figures
    people: int = 0
    chance: Figures | None = None
    between: dict[str, list[float]] | None = None
    hidden: str = ""

    @property
    def at_chance(self) -> list[str]:
        """Which of rank1 and mAP are not above chance: their intervals do not begin above it."""
        if self.chance is None or self.between is None:
            return []
        return [name for name, (low, _) in self.between.items() if low <= self.chance[name]]

    @property
    def title(self) -> str:
        """The setting in words."""
        return f"{self.setting}, re-ranked" if self.reranked else self.setting


def evaluate(descriptors: Array, samples: Samples, searches: Iterable[Search], rerank: bool = False) -> list[Row]:
    """One row a search, and with `rerank` another behind it. descriptors: (N, E), one for each sample.

    Raises UserError when the rules hide all matches of all queries, and as `score` does.
    """
    jobs = [(search, again) for search in searches for again in ((False, True) if rerank else (False,))]
    total = sum(len(search.galleries) for search, _ in jobs)
    with tqdm(total=total, desc="scoring", unit="gallery", leave=False) as bar:
        return [_row(descriptors, samples, search, again, bar) for search, again in jobs]


def _row(descriptors: Array, samples: Samples, search: Search, rerank: bool, bar: Any) -> Row:
    hidden = refuse_hidden(samples, search)
    queries, ids, cameras = search.queries, samples.identities, samples.cameras
    trials, random = [], []
    answered, first, precision = np.zeros((3, len(queries)))
    for gallery in search.galleries:
        labels = ids[queries], ids[gallery], cameras[queries], cameras[gallery], search.protocol
        scores = score(descriptors[queries], descriptors[gallery], *labels, rerank)
        trials.append(summary(scores))
        random.append(chance(*labels))
        answered += scores.valid
        first[scores.valid] += scores.first_rank == 1
        precision[scores.valid] += scores.average_precision
        bar.update()
    there = answered > 0
    each = {"rank1": first[there] / answered[there], "mAP": precision[there] / answered[there]}
    intervals = {name: over_identities(values, ids[queries][there]) for name, values in each.items()}
    return Row(
        search.setting,
        str(search.direction),
        rerank,
        len(trials),
        len(queries),
        int((len(trials) - answered).sum()),
        *spread(trials),
        len(np.unique(ids[queries][there])),
        spread(random)[0],
        {name: [interval.low, interval.high] for name, interval in intervals.items()},
        hidden.words(samples.texts) if hidden.lost and search.protocol == "market1501" else "",
    )


def spread(trials: Sequence[Figures]) -> tuple[Figures, Figures]:
    """Mean and standard deviation of each figure over trials."""
    names = trials[0].keys()
    return (
        {name: float(np.mean([trial[name] for trial in trials])) for name in names},
        {name: float(np.std([trial[name] for trial in trials])) for name in names},
    )


def over_trials(tables: Sequence[Sequence[Row]]) -> list[Row]:
    """One table for several models, one a split: mean and deviation of their mean figures, setting by setting."""
    return [
        rows[0]._replace(
            trials=len(rows),
            queries=sum(row.queries for row in rows) // len(rows),
            unanswered=sum(row.unanswered for row in rows),
            **dict(zip(("mean", "deviation"), spread([row.mean for row in rows]), strict=True)),
            people=0,
            chance=_over(rows),
            between=None,  # people differ from split to split
        )
        for rows in zip(*tables, strict=True)
    ]


def _over(rows: Sequence[Row]) -> Figures | None:
    """Mean of chance over models, where all rows have it."""
    known = [row.chance for row in rows if row.chance is not None]
    return spread(known)[0] if len(known) == len(rows) else None


def main_rows(rows: Iterable[Row]) -> dict[str, Row]:
    """The first row of each direction."""
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(row.direction, row)
    return found


def main_figures(rows: Iterable[Row]) -> dict[str, Figures]:
    """The mean figures of the first row of each direction."""
    return {direction: row.mean for direction, row in main_rows(rows).items()}


def as_text(rows: Sequence[Row]) -> str:
    """A plain-text table in per cent, with deviations where there are several trials, and the notes below it."""
    return "\n".join([*("  ".join(line) for line in _aligned(rows)), *notes(rows)])


def notes(rows: Sequence[Row]) -> list[str]:
    """What counts nowhere, which cameras make it so, and what is at chance, a line each."""
    unanswered = [
        f"{row.title}: {row.unanswered} of {row.queries * row.trials} queries have no picture of their identity that "
        "they may see, and count nowhere"
        for row in rows
        if row.unanswered
    ]
    return [*unanswered, *dict.fromkeys(row.hidden for row in rows if row.hidden), *at_chance(rows)]


def at_chance(rows: Iterable[Row]) -> list[str]:
    """In a line per row, which figures are not above those of a random ranking."""
    found = []
    for row in rows:
        if row.at_chance and row.chance and row.between:
            what = " and ".join(
                f"{COLUMNS[name]} {100 * row.mean[name]:.1f} (95 %: {_span(row.between[name])}; chance "
                f"{100 * row.chance[name]:.1f})"
                for name in row.at_chance
            )
            few = f", of {row.people} people, who are few," if row.people < FEW else ""
            found.append(f"not above chance{few} {DIRECTIONS[row.direction]}, {row.title}: {what}")
    return found


def _span(between: Sequence[float]) -> str:
    return f"{100 * between[0]:.1f} to {100 * between[1]:.1f}"


def as_markdown(rows: Sequence[Row]) -> str:
    """The same as a Markdown table."""
    lines = _aligned(rows)
    head, *rest = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([head, "|" + "---|" * len(lines[0]), *rest]) + "\n"


def _aligned(rows: Sequence[Row]) -> list[list[str]]:
    lines = [["direction", "setting", "trials", *COLUMNS.values(), CHANCE], *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = [str.ljust, str.ljust, *[str.rjust] * (len(widths) - 2)]
    return [[side(cell, width) for cell, side, width in zip(line, sides, widths, strict=True)] for line in lines]


def _cells(row: Row) -> list[str]:
    figures = [
        f"{100 * row.mean[name]:.2f}" + (f" ± {100 * row.deviation[name]:.2f}" if row.trials > 1 else "")
        for name in COLUMNS
    ]
    random = f"{100 * row.chance['rank1']:.2f}" if row.chance else "-"
    return [DIRECTIONS[row.direction], row.title, str(row.trials), *figures, random]


def as_csv(rows: Sequence[Row]) -> str:
    """One line a row, fractions; empty what a row does not know."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = list(COLUMNS)
    counts = ["trials", "queries", "unanswered"]
    random = [f"chance_{name}" for name in names]
    ends = [f"{name}_{end}" for name in BOUNDED for end in ("low", "high")]
    deviations = [f"{name}_deviation" for name in names]
    writer.writerow(["direction", "setting", "reranked", *counts, *names, *deviations, "people", *ends, *random])
    for row in rows:
        figures = [row.mean[name] for name in names] + [row.deviation[name] for name in names]
        between = [end for name in BOUNDED for end in row.between[name]] if row.between else [""] * len(ends)
        chances = [row.chance[name] for name in names] if row.chance else [""] * len(names)
        known = [row.direction, row.setting, row.reranked, row.trials, row.queries, row.unanswered]
        writer.writerow([*known, *figures, row.people or "", *between, *chances])
    return text.getvalue()
