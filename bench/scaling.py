"""`python -m bench.scaling`: what an iteration costs against batch size, picture size and identities, as a picture.

The full-size networks of `bench.train_step`, a process for each point, measured after two iterations that warm up.
Batches and identities are varied at half the released height: 16 pairs of full size need more memory than most have.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.train_step import CLASSES, Figures, alone, cost
from hicmd_tf.arguments import Parser, positive, writable
from hicmd_tf.errors import run_command


class Point(NamedTuple):
    """pairs: of a batch, and as many negatives a modality. height: of pictures, twice their width. classes: training
    identities."""

    pairs: int = 2
    height: int = 128
    classes: int = CLASSES

    def overrides(self) -> dict[str, Any]:
        """The configuration's keys."""
        sizes = {"data.height": self.height, "data.width": self.height // 2}
        return {"batch.pairs": self.pairs, "batch.negatives": self.pairs, **sizes}


class Axis(NamedTuple):
    """name: the field of `Point` that varies. label: of the picture's axis."""

    name: str
    label: str
    points: list[Point]


AXES = [
    Axis("pairs", "pairs a batch, pictures of 128 x 64", [Point(pairs=pairs) for pairs in (2, 4, 8, 16)]),
    Axis("height", "height of pictures, 2 pairs", [Point(height=height) for height in (128, 192, 256)]),
    Axis(
        "classes",
        "training identities, 2 pairs of 128 x 64",
        [Point(classes=classes) for classes in (CLASSES, 10 * CLASSES, 100 * CLASSES)],
    ),
]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures every point once, prints a table, draws the picture, and writes the figures as JSON when asked."""
    parser = Parser("python -m bench.scaling", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=writable, default=Path("docs/scaling.png"), metavar="FILE", help="the picture")
    parser.add_argument("--json", type=writable, metavar="FILE", help="write the figures there")
    parser.add_argument("--config", default="released", metavar="NAME", help="configuration (default: %(default)s)")
    parser.add_argument(
        "--rounds", type=positive, default=2, metavar="N", help="of measurements (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    from tqdm import tqdm

    from hicmd_tf.files import write_json

    points = sorted({point for axis in AXES for point in axis.points})
    costs = {
        point: alone(cost, options.config, "float32", "normal", options.rounds, point.overrides(), point.classes)
        for point in tqdm(points, unit="point", leave=False)
    }
    print(as_text(costs))
    draw(costs, options.out)
    if options.json:
        write_json(options.json, {"points": [{**point._asdict(), **costs[point]} for point in points]})


def as_text(costs: dict[Point, Figures]) -> str:
    """A table of all points."""
    lines = [f"{'pairs':>6}{'height':>8}{'identities':>12}{'wall s':>9}{'yardsticks':>12}{'TFLOP':>8}{'peak GiB':>10}"]
    for point, of in costs.items():
        lines.append(
            f"{point.pairs:>6}{point.height:>8}{point.classes:>12}{of['wall_s']:>9.2f}{of['yardsticks']:>12.1f}"
            f"{of['tflop']:>8.2f}{of['peak_gib']:>10.2f}"
        )
    return "\n".join(lines)


def draw(costs: dict[Point, Figures], path: Path) -> None:
    """Yardsticks and memory of an iteration along each axis, as a PNG file."""
    from matplotlib.figure import Figure

    from hicmd_tf.files import replacing

    figure = Figure(figsize=(12, 6), layout="constrained")
    rows = {"yardsticks": "yardsticks an iteration", "peak_gib": "peak memory, GiB"}
    for (key, label), panels in zip(rows.items(), figure.subplots(2, len(AXES), sharey="row"), strict=True):
        panels[0].set_ylabel(label)
        for axis, panel in zip(AXES, panels, strict=True):
            values = [getattr(point, axis.name) for point in axis.points]
            panel.plot(values, [costs[point][key] for point in axis.points], "o-", color="tab:blue")
            panel.set_ylim(bottom=0)
            if axis.name == "classes":
                panel.set_xscale("log")
            panel.set_xticks(values, [f"{value:,}" for value in values], minor=False)
            panel.minorticks_off()
            panel.grid(alpha=0.3)
            if key == "peak_gib":
                panel.set_xlabel(axis.label)
    with replacing(path) as file:
        figure.savefig(file, dpi=110, format="png", metadata={"Software": None})


if __name__ == "__main__":
    run_command(main)
