"""Curves of several configurations side by side: what they reach after equal times, and after equal steps."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hicmd_tf.runs.progress import Point
from hicmd_tf.visualize.curves import FIGURES
from hicmd_tf.visualize.figure import WAYS, Figure, plot_figure, png_of_plot

MOST = 10  # numbers along an axis
LINEAR = 0.3  # decades that the axis has from 0 to the first evaluation
Levels = Mapping[str, Mapping[str, Mapping[str, float]]]


def progress(rows: Mapping[str, Sequence[Sequence[Point]]], levels: Levels) -> Figure:
    """Rank-1 and mAP of each direction over seconds of training, and over steps.

    Args:
        rows: by name, the evaluations of a run of each seed; a row has a run, and all have the same directions.
        levels: name -> direction -> figure -> fraction of what needs no learning, drawn as level lines.
    """
    times = [point.seconds for runs in rows.values() for points in runs for point in points if point.seconds]
    shortest, longest = min(times, default=1.0), max(times, default=1.0)
    labelled, fine = ticks(shortest, longest)
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
            line[0].set_xscale("symlog", linthresh=shortest, linscale=LINEAR)
            line[0].set_xlabel("seconds of training, logarithmic")
            line[0].set_xticks([0, *labelled], ["0", *(f"{second:.9g}" for second in labelled)], fontsize=8)
            line[0].set_xticks(fine, minor=True)
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


def ticks(shortest: float, longest: float) -> tuple[list[float], list[float]]:
    """Numbers for a logarithmic axis between two: those that are written, 1, 2, 5, 10, 20 .. or, where these are too
    many to be read, 1, 3, 10 .. or 1, 10, 100 ..; and all of one digit, which have a stroke."""
    decades = range(math.floor(math.log10(shortest)), math.ceil(math.log10(longest)) + 1)

    def within(*digits: int) -> list[float]:
        every = [float(f"{digit}e{decade}") for decade in decades for digit in digits]
        return [value for value in every if shortest <= value <= longest]

    choices = within(1, 2, 5), within(1, 3)
    return next((few for few in choices if len(few) <= MOST), within(1)), within(*range(1, 10))
