"""Descriptors and codes in the plane by t-SNE, coloured by what is known of each picture."""

from typing import Any

import numpy as np
from tqdm import tqdm

from hicmd_tf.config.kinds import HICMD
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError, counted
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.training.projector import spread_out
from hicmd_tf.visualize.figure import Figure, plot_figure, png_of_plot

Array = np.ndarray[Any, Any]

PERPLEXITY = 30  # at most; of few pictures a third
LEAST = 5  # pictures
NAMES = {
    "descriptor": "descriptor f",
    "prototype": "prototype",
    "style": "style",
    "pose": "pose",
    "illumination": "illumination",
}
IN_CODES = "; in illumination codes modality; in pose codes stance and no modality"
SHADES = {"visible": "#d1495b", "infrared": "#30638e"}


def embedding(run: OpenedRun, seed: int) -> list[Figure]:
    """Every code of at most a thousand pictures: a sheet of plots."""
    rows = spread_out(run.samples)
    samples, places = run.samples.select(rows), place(run, rows, seed)
    known, people = known_of(samples), len(set(samples.identities[samples.known].tolist()))
    return [
        Figure(
            "embedding",
            "Descriptors and codes in the plane",
            f"t-SNE (cosine distances, perplexity {_perplexity(rows):.0f}, seed {seed}) of "
            f"{counted(len(rows), 'picture')} of {counted(people, 'person')}. Neighbours are alike; distances between "
            f"groups mean nothing. In descriptors one would see people across modalities"
            f"{IN_CODES if len(places) > 1 else ''}.",
            f"Scatter plots: {', '.join(NAMES[name] for name in places)} from left to right, coloured from top to "
            f"bottom by {', '.join(known)}.",
            png_of_plot(plotted(places, known)),
            plot=True,
        )
    ]


def place(run: OpenedRun, rows: Array, seed: int) -> dict[str, Array]:
    """By name in `NAMES` points (M, 2) of the samples' rows. Raises UserError for too few."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if len(rows) < LEAST:
        raise UserError(
            f"{run.folder.path}: {counted(len(rows), 'picture')}, too few for an embedding, expected {LEAST} or more"
        )
    vectors = {"descriptor": run.descriptors[rows]}
    vectors |= run.codes(rows) if run.config.method == HICMD else {}
    places = {}
    for name in tqdm(vectors, desc="embedding", unit="code", leave=False):
        method = TSNE(perplexity=_perplexity(rows), metric="cosine", init="random", random_state=seed)
        with threadpool_limits(1):  # threads that wait for each other cost more than they bring
            places[name] = method.fit_transform(np.asarray(vectors[name], np.float32))
    return places


def _perplexity(rows: Array) -> float:
    return min(PERPLEXITY, (len(rows) - 1) / 3)


def known_of(samples: Samples) -> dict[str, Array]:
    """Values that points are coloured by: identity, modality, the known factors of drawn people, else the camera."""
    modality = np.array([samples.modality(row) for row in range(len(samples))])
    factors = samples.factors or {"camera": samples.cameras}
    return {"identity": samples.identities, "modality": modality, **factors}


def colours(name: str, values: Array) -> Array:
    """RGBA (M, 4) of 0 to 1 for values of a kind that `known_of` names."""
    import matplotlib
    from matplotlib.colors import to_rgba

    if name == "modality":
        return np.array([to_rgba(SHADES[value]) for value in values])
    if name in ("identity", "camera"):
        places = np.unique(values, return_inverse=True)[1]
        return matplotlib.colormaps["hsv"]((places * 0.618034) % 1.0)  # neighbours in number differ in hue
    scale = (values - values.min()) / max(float(np.ptp(values)), 1e-12)
    return matplotlib.colormaps["twilight" if name == "gait_phase" else "viridis"](scale)


def plotted(places: dict[str, Array], known: dict[str, Array]) -> Any:
    """A scatter plot for each of the places, and below it for each thing that is known."""
    canvas = plot_figure(2.1 * len(places), 2.1 * len(known))
    panels = canvas.subplots(len(known), len(places), squeeze=False)
    for axes, name in zip(panels[0], places, strict=True):
        axes.set_title(NAMES[name])
    for line, (kind, values) in zip(panels, known.items(), strict=True):
        for axes, points in zip(line, places.values(), strict=True):
            axes.scatter(*points.T, c=colours(kind, values), s=5, linewidths=0)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[["left", "bottom"]].set_visible(False)
        line[0].set_ylabel(kind.replace("_", " "))
    return canvas
