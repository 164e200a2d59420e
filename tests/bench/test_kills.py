"""When the bench kills a run, and what it finds then."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.kills import last_step, moments
from hicmd_tf.errors import UserError


@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 99))
def test_a_run_gets_on_between_two_kills(kills: int, every: int, seed: int) -> None:
    steps = every * kills
    found = moments(kills, steps, every, seed)
    assert len(found) == kills and found == moments(kills, steps, every, seed)
    assert [moment.step for moment in found] == sorted(moment.step for moment in found)
    middle = [moment for moment in found if 0 < moment.step < steps]
    assert all((b.step - 1) // every > (a.step - 1) // every for a, b in pairwise(middle))
    assert all(moment.delay >= 0 and moment.step <= steps for moment in found)


def test_starts_steps_and_ends_are_killed_and_too_short_a_run_is_refused() -> None:
    found = moments(50, 400, 4, 1)
    steps = [moment.step for moment in found]
    assert steps.count(0) == 5 and steps.count(400) >= 5 and sum(moment.writing for moment in found) == 10
    assert moments(50, 400, 4, 2) != found
    with pytest.raises(UserError, match="take 160 steps or more"):
        moments(50, 100, 4, 0)


@pytest.mark.parametrize(
    ("text", "step"),
    [(None, 0), ("", 0), ("step,a\n", 0), ("step,a\n1,2\n2,3\n", 2), ("step,a\n1,2\n2", 1), ("step,a\n12", 0)],
)
def test_a_torn_row_does_not_count(text: str | None, step: int, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "losses.csv").write_text(text)
    assert last_step(tmp_path) == step
