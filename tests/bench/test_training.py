"""What the bench of long runs calls growth, on series whose growth is known; what the others write."""

import random
from pathlib import Path

import pytest
from PIL import Image

from bench.health import growth, taken
from bench.health import main as health
from bench.scaling import AXES, draw
from bench.scaling import main as scaling
from bench.train_step import losses_beside
from hicmd_tf.config import load
from hicmd_tf.errors import UserError


def series(slope: float, noise: float) -> list[tuple[int, float]]:
    rng = random.Random(0)
    return [(step, 1.0 + slope * step + noise * rng.uniform(-1, 1)) for step in range(200)]


@pytest.mark.parametrize(
    ("points", "grew"),
    [
        (series(1e-3, 0.003), True),
        (series(0.0, 0.003), False),
        (series(-1e-3, 0.003), False),
        (series(1e-4, 0.1), False),  # noise hides it
        ([(step, 0.5 if step < 40 else 1.0) for step in range(200)], False),  # warms up
    ],
)
def test_a_line_that_rises_grew(points: list[tuple[int, float]], grew: bool) -> None:
    assert growth(points).grew == grew


def test_growth_compares_the_second_quarter_with_the_last() -> None:
    found = growth([(step, float(step)) for step in range(8)])
    assert (found.before, found.after) == (2.5, 6.5)


def test_memory_that_is_taken_is_seen() -> None:
    before = taken()
    held = bytearray(b"x") * (1 << 28)
    assert 0.2 < taken() - before < 0.3 and len(held)


def test_a_run_too_short_to_tell_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match="8 points"):
        health(["--config", "tiny", "--steps", "100", "--run", str(tmp_path / "run")])


def test_the_points_of_scaling_are_valid_configurations_and_are_drawn(tmp_path: Path) -> None:
    points = {point for _, points in AXES.values() for point in points}
    for point in points:
        config = load("released", point.settings())
        assert (config.batch.pairs, config.data.height, config.data.width) == (*point[:2], point.height / 2)
    draw({point: {"yardsticks": 2.0, "peak_gib": 3.0} for point in points}, tmp_path / "scaling.png")
    with Image.open(tmp_path / "scaling.png") as picture:
        assert picture.format == "PNG" and picture.width > picture.height > 400


def test_what_measures_the_other_method_alone_says_so() -> None:
    with pytest.raises(UserError, match=r"^method is embedding: .* take python -m bench\.train_step"):
        scaling(["--config", "tiny_strong"])


def test_losses_of_two_runs_are_compared_by_their_largest_relative_difference() -> None:
    ours = {"float32": {"losses": {"same": 2.0, "cross": 1.0}}}
    theirs = {"float32": {"losses": {"same": 2.0, "cross": 0.8}}}
    assert losses_beside(ours, theirs) == "float32: losses of the first iteration differ by 2.5e-01 at most (cross)"
    assert losses_beside(ours, {"bfloat16": {}}) == "no precision in common: nothing to compare"
