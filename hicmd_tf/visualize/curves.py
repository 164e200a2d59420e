"""What a run did over its steps, and how often the right person is among the first k found."""

import warnings
from pathlib import Path
from typing import Any

from hicmd_tf.data.searches import Search
from hicmd_tf.errors import UserError
from hicmd_tf.files import read_json
from hicmd_tf.method.terms import LOSS_PANELS, TERMS
from hicmd_tf.retrieval.metrics import score
from hicmd_tf.retrieval.report import DIRECTIONS
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.runs.step_table import read_steps
from hicmd_tf.visualize.figure import Figure, plot_figure, png_of_plot

PANELS = {
    **{panel: tuple(term.name for term in TERMS if term.panel == panel) for panel in LOSS_PANELS},
    "identities named right": ("accuracy",),
    "mean score of D": ("real_score", "fake_score"),
    "alpha": ("alpha",),
}
FIGURES = {"rank1": "rank-1", "mAP": "mAP"}
LINES = {"visible_to_infrared": ("#c8553d", "-"), "infrared_to_visible": ("#1b6ca8", "--")}
SEEN = 50  # ranks of the CMC


def read_table(path: Path, when: str) -> dict[str, list[float]]:
    """Columns of a CSV file that a run writes, by name, NaN where a row has nothing; warns of lines that can't be read.
    when: a row comes. Raises UserError when there is no row."""
    if not path.is_file():
        raise UserError(f"{path} does not exist: name the folder of a run that has trained, with --run")
    table = read_steps(path)
    if not table.rows and table.damaged:
        raise UserError(f"{path} is damaged ({table.flaw}): expected one number a column in each row")
    if not table.rows:
        raise UserError(f"{path} has no row yet: a row comes every {when} iterations")
    if table.damaged:
        warnings.warn(f"{path}: {table.flaw}: left out", stacklevel=1)
    columns = zip(table.columns, zip(*table.rows, strict=True), strict=True)
    return {name: [float(cell or "nan") for cell in cells] for name, cells in columns}


def curves(run: OpenedRun) -> list[Figure]:
    """Losses, figures over the steps where the run has them, CMC. Raises UserError when there are no losses."""
    over_steps = [over_time(run.folder)] if run.folder.evaluations.is_file() else []
    return [losses(run.folder), *over_steps, cmc(run)]


def losses(folder: RunFolder) -> Figure:
    """Losses, scores and alpha over the iterations."""
    found = read_table(folder.losses, "training.log_every")
    lacking = [name for names in PANELS.values() for name in ("step", *names) if name not in found]
    if lacking:
        raise UserError(f"{folder.losses} has no column {lacking[0]}: expected what hicmd fit writes")
    canvas = plot_figure(9.0, 7.2)
    for (title, names), axes in zip(PANELS.items(), canvas.subplots(3, 2).flat, strict=True):
        for name in names:
            axes.plot(found["step"], found[name], label=name.replace("_", " "), linewidth=1)
        axes.set_title(title)
        axes.legend(frameon=False)
    last = "; ".join(f"{name} {found[name][-1]:.3g}" for names in PANELS.values() for name in names)
    return Figure(
        "losses",
        "Losses over the steps",
        f"Unweighted terms, means over {_interval(found['step'])} iterations each.",
        f"Six plots over {found['step'][-1]:.0f} iterations. At the end: {last}.",
        png_of_plot(canvas),
        plot=True,
    )


def _interval(steps: list[float]) -> str:
    return f"{steps[1] - steps[0]:.0f}" if len(steps) > 1 else "some"


def over_time(folder: RunFolder) -> Figure:
    """Rank-1 and mAP over the iterations, from the untrained networks' where they are known."""
    found = read_table(folder.evaluations, "training.picture_every")
    names = [name for direction in LINES for figure in FIGURES if (name := f"{direction}_{figure}") in found]
    if folder.untrained.is_file():
        before = read_json(folder.untrained)
        found["step"].insert(0, 0)
        for name in names:
            found[name].insert(0, _figure(before, name, folder.untrained))
    canvas = plot_figure(9.0, 3.0)
    for axes, (figure, title) in zip(canvas.subplots(1, 2), FIGURES.items(), strict=True):
        for direction, (colour, line) in LINES.items():
            if f"{direction}_{figure}" in found:
                _percent(axes, found["step"], found[f"{direction}_{figure}"], direction, colour, line)
        axes.set_title(f"{title}, per cent")
        axes.legend(frameon=False)
    last = "; ".join(f"{name.replace('_', ' ')} {100 * found[name][-1]:.1f} %" for name in names)
    return Figure(
        "evaluations",
        "Rank-1 and mAP over the steps",
        "Of the people that the run is judged by. The result is that of the last step: none is chosen by these curves.",
        f"Two plots over {found['step'][-1]:.0f} iterations. At the end: {last}.",
        png_of_plot(canvas),
        plot=True,
    )


def _figure(figures: Any, name: str, file: Path) -> float:
    """One of an evaluation's figures, by its column's name. Raises UserError when it isn't there."""
    direction, _, figure = name.rpartition("_")
    try:
        return float(figures[direction][figure])
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(f"{file} has no number {figure} of {direction}: expected what hicmd fit writes") from error


def _percent(axes: Any, x: list[float], y: list[float], direction: str, colour: str, line: str) -> None:
    words = DIRECTIONS[direction].replace("->", "to")
    axes.plot(x, [100 * value for value in y], line, color=colour, label=words, marker="o", markersize=3, linewidth=1)


def cmc(run: OpenedRun) -> Figure:
    """CMC of the main setting of each direction, beside that of the untrained networks where they are known."""
    canvas = plot_figure(6.5, 3.8)
    axes = canvas.subplots()
    words = []
    for search in {str(search.direction): search for search in reversed(run.searches)}.values():
        colour, line = LINES[str(search.direction)]
        name = DIRECTIONS[str(search.direction)].replace("->", "to")
        found = _cmc(run, search)
        axes.plot(range(1, len(found) + 1), 100 * found, line, color=colour, label=name)
        words.append(f"{name} {100 * found[0]:.1f} % at 1 and {100 * found[min(9, len(found) - 1)]:.1f} % at 10")
        if run.untrained is not None:
            before = _cmc(run.untrained, search)
            axes.plot(
                range(1, len(before) + 1), 100 * before, line, color=colour, alpha=0.4, label=f"{name}, untrained"
            )
    axes.set_xlabel("k")
    axes.set_ylabel("queries answered among the first k, %")
    axes.set_ylim(0, 100)
    axes.legend(frameon=False)
    return Figure(
        "cmc",
        "CMC",
        "How many queries have a right picture among the first k, in the first gallery of the data set's main setting.",
        f"Rising curves up to k = {SEEN}: {'; '.join(words)}.",
        png_of_plot(canvas),
        plot=True,
    )


def _cmc(run: OpenedRun, search: Search) -> Any:
    samples, queries, gallery = run.samples, search.queries, search.galleries[0]
    scores = score(
        run.descriptors[queries],
        run.descriptors[gallery],
        samples.identities[queries],
        samples.identities[gallery],
        samples.cameras[queries],
        samples.cameras[gallery],
        search.protocol,
    )
    return scores.cmc[:SEEN]
