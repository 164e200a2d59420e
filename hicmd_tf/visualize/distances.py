"""How far apart pictures of one person and of two are across modalities, before and after training: Figure 5."""

from typing import Any

import numpy as np

from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED, VISIBLE
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.visualize.figure import Figure, plot_figure, png_of_plot

Array = np.ndarray[Any, Any]

BINS = 100
NARROWEST = 1e-3  # from the first bin's edge to the last one's
MOST = 3000  # pictures of a modality; larger sets are thinned out evenly


def cross_modal(run: OpenedRun) -> tuple[Array, Array]:
    """Cosine distances 0 to 2 of all visible to all infrared pictures, of the same people (M,) and of others (N,).

    Raises UserError when there is one person only.
    """
    visible, infrared = (_thinned(run.rows(m)) for m in (VISIBLE, INFRARED))
    apart = 1 - run.descriptors[visible] @ run.descriptors[infrared].T
    identities = run.samples.identities
    same = identities[visible][:, None] == identities[infrared][None]
    if same.all() or not same.any():
        raise UserError(
            f"{run.folder.path}: distances within and between people need two people at least, with visible and "
            f"infrared pictures of one: raise data.test_identities"
        )
    return apart[same], apart[~same]


def overlap(first: Array, second: Array) -> float:
    """Area that the normalised histograms of two samples share, 0 for apart to 1 for equal."""
    edges = _edges(first, second, BINS)
    shares = [np.histogram(x, edges)[0] / len(x) for x in (first, second)]
    return float(np.minimum(*shares).sum())


def distances(run: OpenedRun) -> list[Figure]:
    """Figure 5: both histograms, of the initial networks where they are known, and of the trained ones."""
    run = run.known
    stages = [("before training", run.untrained), ("after training", run)]
    found = {name: cross_modal(stage) for name, stage in stages if stage is not None}
    canvas = plot_figure(4.4 * len(found), 3.2)
    said = []
    for axes, (name, pair) in zip(canvas.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True):
        shared = f"overlap {overlap(*pair):.2f}"
        _histograms(axes, f"{name}: {shared}", *pair)
        within, across = (values.mean() for values in pair)
        said.append(f"{name} means {within:.2f} within and {across:.2f} between people, {shared}")
    return [
        Figure(
            "distances",
            "Distances within and between people",
            f"Cosine distances of every visible to every infrared picture (Fig. 5). The overlap is the area that both "
            f"histograms share, of {BINS} bins: the less, the better people can be distinguished.",
            f"Histograms of distances. {'; '.join(said)}.",
            png_of_plot(canvas),
            plot=True,
        )
    ]


def _histograms(axes: Any, title: str, intra: Array, inter: Array) -> None:
    edges = _edges(intra, inter, BINS // 2)
    styles = (("one person", intra, "#1b6ca8", "-"), ("two people", inter, "#c8553d", "--"))
    for name, values, colour, line in styles:
        axes.hist(values, edges, density=True, alpha=0.35, color=colour)
        axes.hist(values, edges, density=True, histtype="step", color=colour, linestyle=line, label=name)
        axes.axvline(values.mean(), color=colour, linestyle=line, linewidth=1)
    axes.set_title(title)
    axes.set_xlabel("cosine distance, visible to infrared")
    axes.set_ylabel("density")
    axes.legend(frameon=False)


def _edges(first: Array, second: Array, bins: int) -> Array:
    """Of bins over both; equal descriptors, whose distances differ by rounding, share one."""
    low, high = min(first.min(), second.min()), max(first.max(), second.max())
    return np.linspace(low, max(high, low + NARROWEST), bins + 1)


def _thinned(rows: Array) -> Array:
    return rows[np.linspace(0, len(rows) - 1, min(MOST, len(rows))).round().astype(int)]
