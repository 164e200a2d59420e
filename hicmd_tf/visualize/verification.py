"""How well pairs of one person are kept apart from those of strangers, and whether calibrated similarities are true."""

from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.samples import SPLITS
from hicmd_tf.data.searches import protocol
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import counted
from hicmd_tf.retrieval.pairs import Pairs
from hicmd_tf.retrieval.threshold import DIRECTION, Threshold
from hicmd_tf.retrieval.verification import EER, verify
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.visualize.curves import LINES
from hicmd_tf.visualize.figure import WAYS, Figure, plot_figure, png_of_plot

Array = np.ndarray[Any, Any]

BINS = 10


class Reliability(NamedTuple):
    """Bins of calibrated similarities that have pairs, each kind of pair counting half. said: their mean, (B,). true:
    how many of them are of one person, (B,). weights: share of the pairs, (B,)."""

    said: Array
    true: Array
    weights: Array

    @property
    def error(self) -> float:
        """The mean distance of what is said from what is true, the expected calibration error."""
        return float(np.sum(self.weights * np.abs(self.said - self.true)))


def verification(run: OpenedRun) -> list[Figure]:
    """The ROC, and, where the run has a calibrated threshold, how reliable that is."""
    figures = [roc(run)]
    if run.threshold is not None and run.threshold.calibration is not None:
        figures.append(reliability(run, run.threshold))
    return figures


def roc(run: OpenedRun) -> Figure:
    """TAR over FAR, as far as the pairs can state it."""
    canvas = plot_figure(5.2, 3.6)
    axes, said = canvas.subplots(), []
    for found in verify(run.descriptors, run.samples, run.searches):
        way, stated = WAYS[found.direction], found.figures[EER]
        if stated is not None:
            axes.semilogx(*np.array(found.roc).T, label=way, marker="o", markersize=3, **LINES[found.direction])
            said.append(f"{way}: EER {100 * stated[0]:.1f} %, of {found.strangers:,} pairs of strangers")
    axes.set_xlabel("false-accept rate")
    axes.set_ylabel("true-accept rate")
    axes.set_ylim(0, 1.02)
    axes.legend(frameon=False)
    return Figure(
        "roc",
        "Same person or stranger",
        "Of the pairs of two people, the share that a threshold accepts, and of the pairs of one person the share that "
        "the same threshold accepts. Curves begin where ten pairs of strangers are accepted.",
        f"Curves of the true-accept rate over the false-accept rate. {'; '.join(said)}.",
        png_of_plot(canvas),
        plot=True,
    )


def reliability(run: OpenedRun, threshold: Threshold) -> Figure:
    """What calibrated similarities say, beside what is true of the people whom the run is judged by."""
    run = run.known
    pairs = Pairs(run.descriptors, run.samples, DIRECTION, protocol(DATA_SETS[run.config.data.name].protocol))
    found = reliability_of(threshold, pairs.same, pairs.strangers)
    canvas = plot_figure(4.4, 4.2)
    axes = canvas.subplots()
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle=":")
    axes.plot(found.said, found.true, color="#1b6ca8", marker="o")
    axes.bar(found.said, found.weights, width=0.04, color="#c8553d", alpha=0.5, label="share of the pairs")
    axes.set_xlabel("said: probability of one person, at even odds")
    axes.set_ylabel("true share of one person")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, loc="upper left")
    same = run.config.data.held_out > 0
    whose = "the same people, so it flatters" if same else "test people, who had no part in calibrating"
    points = ", ".join(f"{said:.2f} {true:.2f}" for said, true in zip(found.said, found.true, strict=True))
    return Figure(
        "reliability",
        "Whether calibrated similarities are reliable",
        f"Calibrated on {counted(threshold.people, f'{SPLITS[threshold.chosen_on]} person')}, drawn for {whose}; pairs "
        f"of one person and of strangers count half each. On the dotted line what is said is true; the mean distance "
        f"from it is {found.error:.3f}.",
        f"What is said and what is true, by bins: {points}. Their mean distance is {found.error:.3f}.",
        png_of_plot(canvas),
        plot=True,
    )


def reliability_of(threshold: Threshold, same: Array, strangers: Array) -> Reliability:
    """Of similarities of pairs of one person (N,) and of strangers (M,), at least one each."""
    weights, sums = [], np.zeros(BINS)
    for values in (same, strangers):
        said = threshold.probabilities(values)
        places = np.minimum((said * BINS).astype(int), BINS - 1)
        weights.append(np.bincount(places, minlength=BINS) / (2 * len(values)))
        sums += np.bincount(places, said, minlength=BINS) / (2 * len(values))
    total = weights[0] + weights[1]
    there = total > 0
    return Reliability(sums[there] / total[there], weights[0][there] / total[there], total[there])
