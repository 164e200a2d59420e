"""Descriptors judged as a data set's published tables do (imports no TensorFlow)."""

import csv
import io
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from hicmd_tf.data.samples import Samples
from hicmd_tf.retrieval.galleries import Search
from hicmd_tf.retrieval.hidden import refuse_hidden
from hicmd_tf.retrieval.metrics import score, summary
from hicmd_tf.retrieval.report import COLUMNS, DIRECTIONS

Array = np.ndarray[Any, Any]
Figures = dict[str, float]


class Row(NamedTuple):
    """One line of a table.

    mean, deviation: over `trials` galleries, fractions by name as `summary` has them; the deviation is that of a
    population, as the literature prints, 0 for one gallery. queries: how many were asked. unanswered: how many of them,
    summed over trials, had no picture of their identity that they may see, and count nowhere.
    """

    setting: str
    direction: str
    reranked: bool
    trials: int
    queries: int
    unanswered: int
    mean: Figures
    deviation: Figures

    @property
    def title(self) -> str:
        """The setting in words."""
        return f"{self.setting}, re-ranked" if self.reranked else self.setting


def evaluate(descriptors: Array, samples: Samples, searches: Iterable[Search], rerank: bool = False) -> list[Row]:
    """One row a search, and with `rerank` another behind it. descriptors: (N, E), one for each sample.

    Warns when people's own cameras hide all matches of some queries. Raises UserError when they do of all, and as
    `score` does.
    """
    searches = list(searches)
    for search in searches:
        found = refuse_hidden(samples, search)
        if found.lost and search.protocol == "market1501":  # LLCM's tables are made with all that its rules hide
            warnings.warn(found.words(samples.texts), stacklevel=2)
    jobs = [(search, again) for search in searches for again in ((False, True) if rerank else (False,))]
    total = sum(len(search.galleries) for search, _ in jobs)
    with tqdm(total=total, desc="scoring", unit="gallery", leave=False) as bar:
        return [_row(descriptors, samples, search, again, bar) for search, again in jobs]


def _row(descriptors: Array, samples: Samples, search: Search, rerank: bool, bar: Any) -> Row:
    queries, trials, unanswered = search.queries, [], 0
    for gallery in search.galleries:
        scores = score(
            descriptors[queries],
            descriptors[gallery],
            samples.identities[queries],
            samples.identities[gallery],
            samples.cameras[queries],
            samples.cameras[gallery],
            search.protocol,
            rerank,
        )
        trials.append(summary(scores))
        unanswered += int((~scores.valid).sum())
        bar.update()
    return Row(
        search.setting,
        str(search.direction),
        rerank,
        len(trials),
        len(queries),
        unanswered,
        *spread(trials),
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
        )
        for rows in zip(*tables, strict=True)
    ]


def main_figures(rows: Iterable[Row]) -> dict[str, Figures]:
    """The mean figures of the first row of each direction."""
    found: dict[str, Figures] = {}
    for row in rows:
        found.setdefault(row.direction, row.mean)
    return found


def as_text(rows: Sequence[Row]) -> str:
    """A plain-text table in per cent, with deviations where there are several trials, and what counts nowhere."""
    notes = [
        f"{row.title}: {row.unanswered} of {row.queries * row.trials} queries have no picture of their identity that "
        "they may see, and count nowhere"
        for row in rows
        if row.unanswered
    ]
    return "\n".join([*("  ".join(line) for line in _aligned(rows)), *notes])


def as_markdown(rows: Sequence[Row]) -> str:
    """The same as a Markdown table."""
    head, *lines = (f"| {' | '.join(line)} |" for line in _aligned(rows))
    return "\n".join([head, "|" + "---|" * (len(COLUMNS) + 3), *lines]) + "\n"


def _aligned(rows: Sequence[Row]) -> list[list[str]]:
    lines = [["direction", "setting", "trials", *COLUMNS.values()], *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = [str.ljust, str.ljust, *[str.rjust] * (len(widths) - 2)]
    return [[side(cell, width) for cell, side, width in zip(line, sides, widths, strict=True)] for line in lines]


def _cells(row: Row) -> list[str]:
    figures = [
        f"{100 * row.mean[name]:.2f}" + (f" ± {100 * row.deviation[name]:.2f}" if row.trials > 1 else "")
        for name in COLUMNS
    ]
    return [DIRECTIONS[row.direction], row.title, str(row.trials), *figures]


def as_csv(rows: Sequence[Row]) -> str:
    """One line a row, fractions."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = list(COLUMNS)
    counts = ["trials", "queries", "unanswered"]
    writer.writerow(["direction", "setting", "reranked", *counts, *names, *(f"{name}_deviation" for name in names)])
    for row in rows:
        figures = [row.mean[name] for name in names] + [row.deviation[name] for name in names]
        writer.writerow([row.direction, row.setting, row.reranked, row.trials, row.queries, row.unanswered, *figures])
    return text.getvalue()
