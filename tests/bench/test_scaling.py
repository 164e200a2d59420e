"""The table and the picture of the scaling bench, from made-up figures."""

import json
from pathlib import Path

from PIL import Image

from bench.scaling import AXES, as_text, draw
from bench.train_step import losses_beside
from hicmd_tf.config import load

POINTS = sorted({point for axis in AXES for point in axis.points})
COSTS = {
    point: {"wall_s": float(i), "yardsticks": 2.0 * i, "tflop": 0.5, "peak_gib": 3.0} for i, point in enumerate(POINTS)
}


def test_every_point_is_a_valid_configuration_and_differs_from_the_others_of_its_axis_in_one_thing() -> None:
    for point in POINTS:
        config = load("released", point.overrides())
        assert (config.batch.pairs, config.data.height) == (point.pairs, point.height)
        assert config.data.width == point.height / 2
    for axis in AXES:
        rest = {tuple(value for name, value in point._asdict().items() if name != axis.name) for point in axis.points}
        assert len(rest) == 1


def test_the_table_has_a_line_for_every_point() -> None:
    lines = as_text(COSTS).splitlines()[1:]

    assert [line.split()[:4] for line in lines] == [
        [str(point.pairs), str(point.height), str(point.classes), f"{i:.2f}"] for i, point in enumerate(POINTS)
    ]


def test_the_picture_is_a_readable_png(tmp_path: Path) -> None:
    draw(COSTS, tmp_path / "scaling.png")

    with Image.open(tmp_path / "scaling.png") as picture:
        assert picture.format == "PNG" and picture.width > picture.height > 400


def test_losses_of_two_runs_are_compared_by_their_largest_relative_difference() -> None:
    ours = {"float32": {"losses": {"same": 2.0, "cross": 1.0}}}
    theirs = json.loads(json.dumps({"float32": {"losses": {"same": 2.0, "cross": 0.8}}}))

    assert losses_beside(ours, theirs) == "float32: losses of the first iteration differ by 2.5e-01 at most (cross)"
    assert losses_beside(ours, {"bfloat16": {}}) == "no precision in common: nothing to compare"
