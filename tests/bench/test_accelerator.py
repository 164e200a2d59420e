"""How cases take turns, what is lost when one fails, and what is made of a profile."""

import os
import time
from pathlib import Path

import pytest

from bench import turns
from bench.on_device import summary
from bench.turns import CUT, DONE, Case, run


def works(tell) -> None:
    tell.found(begin=time.time())
    tell.found(end=time.time())


def fails(tell) -> None:
    tell.found(before=1)
    raise MemoryError("out of memory")


def dies(tell) -> None:
    os._exit(9)


def hangs(tell) -> None:
    time.sleep(1000)


def told(tell) -> None:
    tell.found(flags=os.environ["XLA_FLAGS"])


def taken(cases: list[Case], folder: Path, seconds: float = 60.0) -> tuple[dict[str, str], dict[str, dict]]:
    figures: dict[str, dict] = {case.name: {} for case in cases}
    outcomes: dict[str, str] = {}

    def found(name: str, new: dict, outcome: str) -> None:
        figures[name].update(new)
        outcomes[name] = outcome

    run(cases, time.monotonic() + seconds, folder, found)
    return outcomes, figures


def test_cases_run_one_after_the_other_and_what_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    cases = [
        Case("dies", dies),
        Case("first", works),
        Case("fails", fails),
        Case("second", works),
        Case("told", told, {"XLA_FLAGS": "--one"}),
    ]
    outcomes, figures = taken(cases, tmp_path)
    assert outcomes == {
        "dies": "failed: its process ended with 9",
        "fails": "failed: MemoryError: out of memory",
        **dict.fromkeys(["first", "second", "told"], DONE),
    }
    assert figures["first"]["end"] <= figures["second"]["begin"]
    assert figures["fails"]["before"] == 1 and figures["told"]["flags"] == "--one"
    assert figures["fails"]["log"][-1] == "MemoryError: out of memory"


def test_what_hangs_loses_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN", 0.05)  # of 60 s
    outcomes, figures = taken([Case("hangs", hangs), Case("works", works)], tmp_path)
    assert outcomes == {"hangs": "failed: took more than 3 s", "works": DONE} and figures["works"]["end"]


def test_what_comes_when_time_is_up_is_cut(tmp_path: Path) -> None:
    assert taken([Case("works", works)], tmp_path, seconds=-1)[0] == {"works": CUT}


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
