"""Descriptors and codes in the plane by t-SNE, coloured by what is known of each picture."""

import io
import json
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.training.projector import spread_out
from hicmd_tf.visualize.figure import Figure, plot_figure, png_of_plot
from hicmd_tf.visualize.pages import PAGES, data_uri

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
THUMBNAIL = 24, 48  # pixels
COLUMNS = 50
SHADES = {"visible": "#d1495b", "infrared": "#30638e"}


class Points(NamedTuple):
    """rows: of the samples (M,). places: by name in `NAMES`, points (M, 2). known: values (M,) to colour by."""

    rows: Array
    places: dict[str, Array]
    known: dict[str, Array]


def embedding(run: OpenedRun, seed: int) -> list[Figure]:
    """Every code of at most a thousand pictures: a sheet of plots, and a page to look into."""
    points = place(run, seed)
    shown = run.samples.select(points.rows)
    people = len(set(shown.identities[shown.known].tolist()))
    return [
        Figure(
            "embedding",
            "Descriptors and codes in the plane",
            f"t-SNE (cosine distances, perplexity {_perplexity(len(points.rows)):.0f}, seed {seed}) of "
            f"{len(points.rows)} pictures of {people} people. Neighbours are alike; distances between groups mean "
            "nothing. In descriptors one would see people across modalities; in illumination codes modality; in pose "
            "codes stance and no modality.",
            f"Scatter plots: {', '.join(NAMES.values())} from left to right, coloured from top to bottom by "
            f"{', '.join(points.known)}.",
            png_of_plot(_plot(points)),
            plot=True,
            page=_page(run, points),
        )
    ]


def place(run: OpenedRun, seed: int) -> Points:
    """Points of descriptors and codes. Raises UserError for too few pictures."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    rows = spread_out(run.samples)
    if len(rows) < LEAST:
        raise UserError(
            f"{run.folder.path}: {len(rows)} pictures are too few for an embedding, expected {LEAST} or more"
        )
    vectors = {"descriptor": run.descriptors[rows], **run.codes(rows)}
    places = {}
    for name in tqdm(NAMES, desc="embedding", unit="code", leave=False):
        method = TSNE(perplexity=_perplexity(len(rows)), metric="cosine", init="random", random_state=seed)
        with threadpool_limits(1):  # threads that wait for each other cost more than they bring
            places[name] = method.fit_transform(np.asarray(vectors[name], np.float32))
    return Points(rows, places, known(run.samples.select(rows)))


def _perplexity(pictures: int) -> float:
    return min(PERPLEXITY, (pictures - 1) / 3)


def known(samples: Samples) -> dict[str, Array]:
    """What points are coloured by: identity, modality, the known factors of drawn people, else the camera."""
    modality = np.array([samples.modality(row) for row in range(len(samples))])
    factors = samples.factors or {"camera": samples.cameras}
    return {"identity": samples.identities, "modality": modality, **factors}


def colours(name: str, values: Array) -> Array:
    """RGBA (M, 4) of 0 to 1 for values of a kind that `known` names."""
    import matplotlib
    from matplotlib.colors import to_rgba

    if name == "modality":
        return np.array([to_rgba(SHADES[value]) for value in values])
    if name in ("identity", "camera"):
        places = np.unique(values, return_inverse=True)[1]
        return matplotlib.colormaps["hsv"]((places * 0.618034) % 1.0)  # neighbours in number differ in hue
    scale = (values - values.min()) / max(float(np.ptp(values)), 1e-12)
    return matplotlib.colormaps["twilight" if name == "gait_phase" else "viridis"](scale)


def _plot(points: Points) -> Any:
    canvas = plot_figure(2.1 * len(NAMES), 2.1 * len(points.known))
    panels = canvas.subplots(len(points.known), len(NAMES), squeeze=False)
    for axes, title in zip(panels[0], NAMES.values(), strict=True):
        axes.set_title(title)
    for line, (kind, values) in zip(panels, points.known.items(), strict=True):
        for axes, name in zip(line, NAMES, strict=True):
            axes.scatter(*points.places[name].T, c=colours(kind, values), s=5, linewidths=0)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[["left", "bottom"]].set_visible(False)
        line[0].set_ylabel(kind.replace("_", " "))
    return canvas


def _page(run: OpenedRun, points: Points) -> str:
    samples = run.samples.select(points.rows)
    shown = {name: _in_unit_square(place).round(4).tolist() for name, place in points.places.items()}
    data = {
        "places": shown,
        "colours": {kind: _hex(colours(kind, values)) for kind, values in points.known.items()},
        "words": [
            f"identity {samples.identity(row)}, {samples.modality(row)}, camera {samples.camera(row)}"
            for row in range(len(samples))
        ],
        "thumbnail": THUMBNAIL,
        "columns": COLUMNS,
    }
    return PAGES.get_template("embedding.html").render(
        codes=NAMES,
        kinds=list(points.known),
        data=json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
        pictures=_sprite(run, points.rows),
    )


def _in_unit_square(places: Array) -> Array:
    low, high = places.min(axis=0), places.max(axis=0)
    return (places - low) / np.maximum(high - low, 1e-12)


def _hex(rgba: Array) -> list[str]:
    from matplotlib.colors import to_hex

    return [to_hex(colour) for colour in rgba]


def _sprite(run: OpenedRun, rows: Array) -> str:
    """All thumbnails, `COLUMNS` in a line, as a data URI."""
    width, height = THUMBNAIL

    sheet = Image.new("RGB", (COLUMNS * width, -(-len(rows) // COLUMNS) * height))
    for number, picture in enumerate(run.pictures(rows)):
        thumbnail = Image.fromarray(picture).resize(THUMBNAIL, Image.Resampling.BICUBIC)
        sheet.paste(thumbnail, (number % COLUMNS * width, number // COLUMNS * height))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=80)
    return data_uri(buffer.getvalue(), "image/jpeg")
