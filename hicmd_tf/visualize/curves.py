"""Curves of a run over its steps, and of how often the right person is among the first k found."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.data.searches import Search
from hicmd_tf.errors import UserError
from hicmd_tf.method.terms import LOSS_PANELS, TERMS
from hicmd_tf.retrieval.evaluation import by_direction, labels
from hicmd_tf.retrieval.metrics import score
from hicmd_tf.retrieval.report import read_scores
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.runs.step_table import read_steps
from hicmd_tf.visualize.figure import WAYS, Figure, plot_figure, png_of_plot

Array = np.ndarray[Any, Any]

PANELS = {
    **{panel: tuple(term.name for term in TERMS if term.panel == panel) for panel in LOSS_PANELS},
    "identities named right": ("accuracy",),
    "mean score of D": ("real_score", "fake_score"),
    "alpha": ("alpha",),
}
FIGURES = {"rank1": "rank-1", "mAP": "mAP"}
LINES: dict[str, dict[str, Any]] = {
    "visible_to_infrared": {"color": "#c8553d", "linestyle": "-"},
    "infrared_to_visible": {"color": "#1b6ca8", "linestyle": "--"},
}
SEEN = 50  # ranks of the CMC


def read_table(path: Path) -> dict[str, Array]:
    """Columns of a CSV file that a run writes, by name, NaN where a row has nothing; warns of lines that can't be read.
    Raises UserError when there is no row."""
    table = read_steps(path)
    if not table.rows:
        raise UserError(f"{path} has no row that can be read{f' ({table.flaw})' if table.flaw else ''}")
    if table.damaged:
        warnings.warn(f"{path}: {table.flaw}: left out", stacklevel=1)
    values = np.array([[float(cell or "nan") for cell in row] for row in table.rows])
    return dict(zip(table.columns, values.T, strict=True))


def curves(run: OpenedRun) -> list[Figure]:
    """Losses and figures over the steps, of a run that has them; CMC."""
    folder = run.folder
    over_steps = ((losses, folder.losses), (evaluations, folder.evaluations))
    return [*(make(folder) for make, file in over_steps if file.is_file()), cmc(run)]


def losses(folder: RunFolder) -> Figure:
    """Losses, scores and alpha over the iterations."""
    found = read_table(folder.losses)
    steps = found["step"]
    canvas = plot_figure(9.0, 7.2)
    said = []
    for (title, names), axes in zip(PANELS.items(), canvas.subplots(3, 2).flat, strict=True):
        for name in filter(found.__contains__, names):
            axes.plot(steps, found[name], label=name.replace("_", " "), linewidth=1)
            said.append(f"{name} {found[name][-1]:.3g}")
        axes.set_title(title)
        if axes.lines:
            axes.legend(frameon=False)
    return Figure(
        "losses",
        "Losses over the steps",
        f"Unweighted terms, means over {f'{steps[1] - steps[0]:.0f}' if len(steps) > 1 else 'some'} iterations each.",
        f"Six plots over {steps[-1]:.0f} iterations. At the end: {'; '.join(said)}.",
        png_of_plot(canvas),
        plot=True,
    )


def evaluations(folder: RunFolder) -> Figure:
    """Rank-1 and mAP over the iterations, from the untrained networks' where they are known."""
    found = read_table(folder.evaluations)
    steps, ways = found["step"], [way for way in LINES if f"{way}_rank1" in found]
    before = read_scores(folder.untrained, ways) if folder.untrained.is_file() else None
    canvas = plot_figure(9.0, 3.0)
    said = []
    for axes, (figure, title) in zip(canvas.subplots(1, 2), FIGURES.items(), strict=True):
        for way in ways:
            x, y = steps, found[f"{way}_{figure}"]
            said.append(f"{WAYS[way]} {title} {100 * y[-1]:.1f} %")
            if before:
                x, y = np.insert(x, 0, 0), np.insert(y, 0, before[way][figure])
            axes.plot(x, 100 * y, label=WAYS[way], marker="o", markersize=3, linewidth=1, **LINES[way])
        axes.set_title(f"{title}, per cent")
        axes.legend(frameon=False)
    return Figure(
        "evaluations",
        "Rank-1 and mAP over the steps",
        "Of the people that the run is judged by. The result is that of the last step: none is chosen by these curves.",
        f"Two plots over {steps[-1]:.0f} iterations. At the end: {'; '.join(said)}.",
        png_of_plot(canvas),
        plot=True,
    )


def cmc(run: OpenedRun) -> Figure:
    """CMC of the main setting of each direction, beside that of the untrained networks where they are known."""
    canvas = plot_figure(6.5, 3.8)
    axes = canvas.subplots()
    said = []
    for way, search in by_direction(run.searches).items():
        found = _cmc(run, search)
        axes.plot(range(1, len(found) + 1), found, label=WAYS[way], **LINES[way])
        said.append(f"{WAYS[way]} {found[0]:.1f} % at 1 and {found[9]:.1f} % at 10")
        if run.untrained is not None:
            before = _cmc(run.untrained, search)
            axes.plot(range(1, len(before) + 1), before, label=f"{WAYS[way]}, untrained", alpha=0.4, **LINES[way])
    axes.set_xlabel("k")
    axes.set_ylabel("queries answered among the first k, %")
    axes.set_ylim(0, 100)
    axes.legend(frameon=False)
    return Figure(
        "cmc",
        "CMC",
        "How many queries have a right picture among the first k, in the first gallery of the data set's main setting.",
        f"Rising curves up to k = {SEEN}: {'; '.join(said)}.",
        png_of_plot(canvas),
        plot=True,
    )


def _cmc(run: OpenedRun, search: Search) -> Array:
    """(up to `SEEN`, but at least 20) per cent."""
    gallery = search.galleries[0]
    scores = score(run.descriptors[search.queries], run.descriptors[gallery], *labels(run.samples, search, gallery))
    return 100 * scores.cmc[:SEEN]
