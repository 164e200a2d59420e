"""`python -m bench.scaling`: what an iteration costs against batch size, picture size and identities.

The full-size networks of `bench.train_step`, a process for each point, measured after two iterations that warm up.
Batches and identities are varied at half the released height: 16 pairs of full size need more memory than most have.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.measuring import alone, keep, parser_of, refuse_embedding, save_plot
from bench.train_step import CLASSES, Figures, iteration
from hicmd_tf.arguments import writable
from hicmd_tf.errors import run_command
from hicmd_tf.tables import as_text


class Point(NamedTuple):
    """pairs: of a batch, and as many negatives per modality. height: of pictures, twice their width. classes: training
    identities."""

    pairs: int = 2
    height: int = 128
    classes: int = CLASSES

    def settings(self) -> dict[str, Any]:
        """The configuration's keys."""
        sizes = {"data.height": self.height, "data.width": self.height // 2}
        return {"batch.pairs": self.pairs, "batch.negatives": self.pairs, **sizes}


# By the field that varies: the picture's axis, and its points.
AXES = {
    "pairs": ("pairs per batch, pictures of 128 x 64", [Point(pairs=pairs) for pairs in (2, 4, 8, 16)]),
    "height": ("height of pictures, 2 pairs", [Point(height=height) for height in (128, 192, 256)]),
    "classes": (
        "training identities, 2 pairs of 128 x 64",
        [Point(classes=factor * CLASSES) for factor in (1, 10, 100)],
    ),
}
COLUMNS = {"wall_s": "wall s", "yardsticks": "yardsticks", "tflop": "TFLOP", "peak_gib": "peak GiB"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures every point once, prints a table, draws it and writes the figures as JSON when asked."""
    parser = parser_of("scaling", __doc__, rounds=2)
    parser.add_argument("--out", type=writable, metavar="FILE", help="draw it there, a PNG")
    parser.add_argument("--config", default="released", metavar="NAME", help="configuration (default: %(default)s)")
    options = parser.parse_args(arguments)
    from tqdm import tqdm

    from hicmd_tf.config import load

    refuse_embedding(load(options.config).method)
    points = sorted({point for _, points in AXES.values() for point in points})
    costs = {
        point: alone(iteration, options.config, point.settings(), options.rounds, point.classes)
        for point in tqdm(points, unit="point", leave=False)
    }
    rows = [[*point, *(f"{of[name]:.2f}" for name in COLUMNS)] for point, of in costs.items()]
    print(as_text([[*Point._fields, *COLUMNS.values()], *rows], ">"))
    if options.out:
        draw(costs, options.out)
    keep(options.json, {"points": [{**point._asdict(), **of} for point, of in costs.items()]})


def draw(costs: dict[Point, Figures], path: Path) -> None:
    """Yardsticks and memory of an iteration along each axis, as a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6), layout="constrained")
    rows = {"yardsticks": "yardsticks per iteration", "peak_gib": "peak memory, GiB"}
    for (key, label), panels in zip(rows.items(), figure.subplots(2, len(AXES), sharey="row"), strict=True):
        panels[0].set_ylabel(label)
        for (name, (title, points)), panel in zip(AXES.items(), panels, strict=True):
            values = [getattr(point, name) for point in points]
            panel.plot(values, [costs[point][key] for point in points], "o-", color="tab:blue")
            panel.set_ylim(bottom=0)
            if name == "classes":
                panel.set_xscale("log")
            panel.set_xticks(values, [f"{value:,}" for value in values], minor=False)
            panel.minorticks_off()
            panel.grid(alpha=0.3)
            if key == "peak_gib":
                panel.set_xlabel(title)
    save_plot(figure, path)


if __name__ == "__main__":
    run_command(main)
