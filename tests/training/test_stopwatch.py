"""What costs.json says of a run: each step's seconds once, nothing of what is done aside."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.errors import UserError
from hicmd_tf.runs.costs import Costs, peak_memory, read_costs, write_costs
from hicmd_tf.training import stopwatch
from hicmd_tf.training.stopwatch import Stopwatch

PARAMETERS = {"describing": 3, "trained": 5}


def costs(*clock: tuple[int, float]) -> Costs:
    return Costs(list(clock), 1 << 30, None, None, PARAMETERS)


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    found = Time()
    monkeypatch.setattr(stopwatch, "time", found)
    return found


@given(
    parts=st.lists(
        st.tuples(st.booleans(), st.integers(1, 50)), min_size=1, max_size=20
    )  # whether it trains, or is aside, and for how long
)
def test_what_is_done_aside_does_not_count(parts: list[tuple[bool, int]]) -> None:
    moved = Time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stopwatch, "time", moved)
        watch = Stopwatch(0, None)
        watch.on_train_begin()
        for step, (trains, seconds) in enumerate(parts, 1):
            if trains:
                moved.now += seconds
            else:
                with watch.aside():
                    moved.now += seconds
            watch.read(step)
        watch.on_train_end()
        moved.now += 1000
        watch.read(len(parts) + 1)
    until = [sum(seconds for trains, seconds in parts[:step] if trains) for step in range(len(parts) + 1)]
    assert watch.clock == [*enumerate(until), (len(parts) + 1, until[-1])]


def test_steps_that_a_kill_lost_count_once(clock: Time) -> None:
    watch = Stopwatch(4, costs((0, 0.0), (2, 10.0), (4, 20.0), (6, 70.0)))
    watch.on_train_begin()
    clock.now += 7
    watch.read(6)
    watch.read(6)  # evaluated and kept at one step
    assert watch.clock == [(0, 0.0), (2, 10.0), (4, 20.0), (6, 27.0)]


def test_a_run_of_an_earlier_version_has_no_whole_time(clock: Time) -> None:
    watch = Stopwatch(4, None)
    watch.on_train_begin()
    clock.now += 7
    watch.read(6)
    found = costs(*watch.clock)
    assert found.clock == [(4, 0.0), (6, 7.0)] and found.seconds is None and found.at(6) is None
    assert "7.0 s for 2 steps from step 4 on" in found.words()["training"]


def test_costs_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "costs.json"
    assert read_costs(file) is None
    whole = costs((0, 0.0), (3, 1.5))
    for one in (whole, whole._replace(card_bytes=5 << 30, describing_ms=0.25)):
        write_costs(file, one)
        assert read_costs(file) == one and one.seconds == 1.5 and one.at(3) == 1.5 and one.at(2) is None
    assert one.words()["card's memory at the peak"] == "5.00 GiB" and one.words()["describing"] == "0.25 ms a picture"


@pytest.mark.parametrize("content", ["[]", "{}", '{"clock": [[0, "1"]]}', "no"])
def test_damaged_costs_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "costs.json").write_text(content)
    with pytest.raises(UserError, match=r"costs\.json"):
        read_costs(tmp_path / "costs.json")


def test_the_peak_is_of_this_process() -> None:
    before = peak_memory()
    block = bytearray(before + (64 << 20))
    assert peak_memory() >= len(block) > before > 0
