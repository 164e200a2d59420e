"""The figures of a run while it trained: by step, and by seconds of training where it says them."""

import warnings
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from hicmd_tf.retrieval.report import COLUMNS, DIRECTIONS, read_scores
from hicmd_tf.runs.costs import Costs
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.step_table import STEP, read_steps

Figures = dict[str, dict[str, float]]
"""Direction -> figure -> fraction."""


class Point(NamedTuple):
    """One evaluation. seconds: of training until then; none where the run does not say."""

    step: int
    seconds: float | None
    figures: Figures


def read_progress(run: RunFolder, costs: Costs | None, last: int, metrics: dict[str, Any]) -> list[Point]:
    """All evaluations of a run, steps rising: of its initial weights, while it trained, and in the end.

    costs: of the run. last: step of metrics.json. metrics: what that says. Raises UserError for damaged files.
    """
    directions = [way for way in DIRECTIONS if way in metrics]

    def known(scores: Any) -> Figures:
        return {way: {name: float(scores[way][name]) for name in COLUMNS} for way in directions}

    found: dict[int, Figures] = {}
    if run.untrained.is_file():
        found[0] = known(read_scores(run.untrained, directions))
    if run.evaluations.is_file():
        table = read_steps(run.evaluations)
        if table.damaged:
            warnings.warn(f"{run.evaluations}: {table.flaw}: left out", stacklevel=1)
        for row in table.rows:
            cells = dict(zip(table.columns, row, strict=True))
            named = {way: {name: cells.get(f"{way}_{name}") for name in COLUMNS} for way in directions}
            if all(cell for of in named.values() for cell in of.values()):
                found[int(cells[STEP])] = known(named)
    found = {step: figures for step, figures in found.items() if step < last} | {last: known(metrics)}
    return [Point(step, costs and costs.at(step), figures) for step, figures in found.items()]


def until(points: Sequence[Point], limit: float, by: Literal["step", "seconds"]) -> Point | None:
    """The last evaluation up to a step, or up to so many seconds of training; none where there is none."""
    known = [(getattr(point, by), point) for point in points]
    reached = [point for value, point in known if value is not None and value <= limit]
    return max(reached, key=lambda point: point.step, default=None)
