"""What the bench of long runs calls growth, on series whose growth is known."""

import random

import pytest

from bench.health import growth, taken
from bench.health import main as health
from hicmd_tf.errors import UserError


def series(slope: float, noise: float, seed: int = 0) -> list[tuple[int, float]]:
    rng = random.Random(seed)
    return [(step, 1.0 + slope * step + noise * rng.uniform(-1, 1)) for step in range(200)]


@pytest.mark.parametrize("noise", [0.0, 0.003])
def test_a_line_that_rises_grew_and_a_level_one_did_not(noise: float) -> None:
    assert growth(series(1e-3, noise)).grew
    assert not growth(series(0.0, noise)).grew
    assert not growth(series(-1e-3, noise)).grew


def test_what_noise_hides_and_what_warms_up_are_no_growth() -> None:
    assert not growth(series(1e-4, 0.1)).grew
    warming = [(step, 0.5 if step < 40 else 1.0) for step in range(200)]
    assert not growth(warming).grew


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
