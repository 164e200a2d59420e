"""How cases take turns, what is lost when one fails, and what is made of a profile."""

import os
import time
from functools import partial
from pathlib import Path

import pytest

from bench.on_device import summary
from bench.turns import CUT, DONE, Case, run


def noted(file: Path, seconds: float, gate) -> None:
    """Writes down when it is measured."""
    with gate.alone():
        begin = time.time()
        time.sleep(seconds)
        gate.found(begin=begin, end=time.time())
    gate.found(last=True)


def fails(gate) -> None:
    gate.found(before=1)
    raise MemoryError("out of memory")


def dies(gate) -> None:
    with gate.alone():
        os._exit(9)


def hangs(gate) -> None:
    time.sleep(1000)


def told(gate) -> None:
    gate.found(flags=os.environ["XLA_FLAGS"])


def taken(cases: list[Case], folder: Path, seconds: float = 30.0, most: int = 4):
    figures: dict[str, dict] = {case.name: {} for case in cases}
    outcomes = run(
        cases, most, time.monotonic() + seconds, folder, lambda name, new, outcome: figures[name].update(new)
    )
    return outcomes, figures


def test_cases_are_measured_one_at_a_time_and_what_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    cases = [
        Case("dies", dies, calm=True, first=True),
        *(Case(f"{number}", partial(noted, tmp_path, 0.3)) for number in range(3)),
        Case("fails", fails),
        Case("told", told, {"XLA_FLAGS": "--one"}, after="fails"),
    ]
    outcomes, figures = taken(cases, tmp_path)
    assert outcomes == {
        "dies": "failed: its process ended with 9",
        "fails": "failed: MemoryError: out of memory",
        **dict.fromkeys(["0", "1", "2", "told"], DONE),
    }
    turns = sorted((figures[f"{number}"]["begin"], figures[f"{number}"]["end"]) for number in range(3))
    assert turns[0][1] <= turns[1][0] and turns[1][1] <= turns[2][0]
    assert figures["0"]["last"] and figures["fails"]["before"] == 1 and figures["told"]["flags"] == "--one"
    assert figures["fails"]["log"][-1] == "MemoryError: out of memory"


def test_what_hangs_is_cut_when_the_time_is_up(tmp_path: Path) -> None:
    cases = [Case("hangs", hangs, calm=True), Case("works", partial(noted, tmp_path, 0.1)), Case("later", hangs)]
    outcomes, figures = taken(cases, tmp_path, seconds=8, most=2)
    assert outcomes == {"hangs": CUT, "works": DONE, "later": CUT} and figures["works"]["last"]


def test_a_profile_is_summed_by_name_and_overlaps_count_once() -> None:
    kernels = [("a", 0.0, 2e3), ("b", 1e3, 5e3), ("a", 10e3, 30e3), ("c", 30e3, 230e3)]
    found = summary(kernels, iterations=2)
    assert found["kernels"] == 2 and found["different"] == 3
    assert found["busy_ms"] * 2e6 == pytest.approx(225e3) and found["span_ms"] * 2e6 == pytest.approx(230e3)
    assert [one["name"] for one in found["largest"]] == ["c", "a", "b"]
    sizes = found["by_microseconds"]
    assert sizes["< 3"]["kernels"] == 0.5 and sizes["3 to 10"]["ms"] * 2e6 == pytest.approx(4e3)
    assert sizes[">= 100"]["kernels"] == 0.5
    with pytest.raises(ValueError, match="no kernels"):
        summary([], 1)
