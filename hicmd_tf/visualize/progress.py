"""Curves of several configurations side by side: what they reach after equal times, and after equal steps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hicmd_tf.runs.progress import Point
from hicmd_tf.visualize.curves import FIGURES
from hicmd_tf.visualize.figure import WAYS, Figure, plot_figure, png_of_plot

Levels = Mapping[str, Mapping[str, Mapping[str, float]]]


def progress(rows: Mapping[str, Sequence[Sequence[Point]]], levels: Levels) -> Figure:
    """Rank-1 and mAP of each direction over seconds of training, and over steps.

    Args:
        rows: by name, the evaluations of a run of each seed; a row has a run, and all have the same directions.
        levels: name -> direction -> figure -> fraction of what needs no learning, drawn as level lines.
    """
    from matplotlib.ticker import SymmetricalLogLocator

    ways = list(next(iter(rows.values()))[0][-1].figures)
    panels = [(way, figure) for way in ways for figure in FIGURES]
    canvas = plot_figure(9.0, 2.3 * len(panels) + 0.5)
    said = []
    for line, (way, figure) in zip(canvas.subplots(len(panels), 2, squeeze=False, sharey="row"), panels, strict=True):
        for number, (name, runs) in enumerate(rows.items()):
            ends = [100 * points[-1].figures[way][figure] for points in runs]
            said.append(f"{WAYS[way]} {FIGURES[figure]} of {name} {np.mean(ends):.1f} %")
            for axes, over in zip(line, ("seconds", "step"), strict=True):
                _draw(axes, name, f"C{number % 10}", runs, over, way, figure)
        for number, (name, known) in enumerate(levels.items()):
            for axes in line:
                style = {
                    "color": "0.35",
                    "linestyle": ("-", "--", "-.", ":", (0, (1, 4)))[number % 5],
                    "linewidth": 0.8,
                }
                axes.axhline(100 * known[way][figure], label=name, **style)
        line[0].set_ylabel(f"{FIGURES[figure]}, per cent")
        line[0].set_title(WAYS[way])
        line[1].set_title(WAYS[way])
        line[0].set_xlabel("seconds of training")
        line[1].set_xlabel("steps")
        if all(point.seconds is not None for runs in rows.values() for points in runs for point in points):
            line[0].set_xscale("symlog", linthresh=_shortest(rows))
            line[0].xaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=_shortest(rows), subs=(1, 2, 5)))
            line[0].xaxis.set_major_formatter("{x:g}")
        for axes in line:
            axes.set_ylim(bottom=0)
            axes.set_xlim(left=0)
    handles, labels = canvas.axes[1].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 5), frameon=False)
    return Figure(
        "comparison",
        "Rank-1 and mAP over training time and steps",
        "Thick: the mean over seeds; thin: each. Level lines: what needs no learning. Seconds are of the iterations, "
        "on a logarithmic scale from the first evaluation on.",
        f"{2 * len(panels)} plots, over seconds at left and over steps at right. At the end: {'; '.join(said)}.",
        png_of_plot(canvas),
        plot=True,
    )


def _draw(axes: Any, name: str, colour: str, runs: Sequence[Sequence[Point]], over: str, way: str, figure: str) -> None:
    """One row's lines in one panel."""
    known = [[point for point in points if getattr(point, over) is not None] for points in runs]
    lines = [{point.step: (getattr(point, over), 100 * point.figures[way][figure]) for point in of} for of in known]
    for line in lines if len(lines) > 1 else []:
        axes.plot(*np.array([*line.values()] or np.empty((0, 2))).T, color=colour, linewidth=0.6, alpha=0.5)
    common = [step for step in lines[0] if all(step in line for line in lines)]
    means = np.array([np.mean([line[step] for line in lines], axis=0) for step in common] or np.empty((0, 2)))
    axes.plot(*means.T, color=colour, linewidth=1.6, marker="o", markersize=3, label=name)


def _shortest(rows: Mapping[str, Sequence[Sequence[Point]]]) -> float:
    """Seconds of the earliest evaluation after the first step."""
    seconds = [point.seconds for runs in rows.values() for points in runs for point in points if point.seconds]
    return min(seconds, default=1.0)
