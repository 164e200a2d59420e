"""The bench itself: what it calls wrong is wrong, and nothing that happens to an input is lost."""

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from bench.fuzzing import judge, watch
from bench.fuzzing.cases import Case, Input, Material, Outcome, drawn
from bench.fuzzing.entries import ENTRIES, Accepted
from bench.fuzzing.report import as_text, wrong_ones
from bench.fuzzing.targets import targets
from hicmd_tf.errors import UserError, run_command

NOTHING = cast(Material, None)


def outcome(work: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """What is judged of an entry point that does `work` in the folder of the case."""
    monkeypatch.setitem(ENTRIES, "toy", lambda _, folder: run_command(lambda: work(folder)))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "room").mkdir()
    case = Case(7, "toy", "kind", Input("story", lambda _, folder: folder))
    return judge.judged(case, NOTHING, tmp_path / "room")


def refuse(_: Path) -> None:
    raise UserError("the thing is wrong: do it right")


def accept(_: Path) -> None:
    raise Accepted


def break_down(_: Path) -> None:
    raise KeyError("a key")


def exit_otherwise(_: Path) -> None:
    sys.exit(1)


def say_more(_: Path) -> None:
    print("something else", file=sys.stderr)
    raise UserError("wrong")


def say_more_in_c(_: Path) -> None:
    os.write(2, b"a library's own words\n")
    raise UserError("wrong")


def leave(folder: Path) -> None:
    (folder / "half.tmp").touch()
    raise UserError("wrong")


def leave_folder(folder: Path) -> None:
    (folder / "half").mkdir()
    raise UserError("wrong")


def warn(_: Path) -> None:
    warnings.warn("mind this", stacklevel=1)
    raise UserError("wrong")


def hang(_: Path) -> None:
    time.sleep(60)


def nothing(_: Path) -> None:
    """As a command does that has done its work."""


@pytest.mark.parametrize(
    ("work", "verdict", "said"),
    [
        (refuse, "refused", "error: the thing is wrong: do it right"),
        (warn, "refused", "error: wrong"),
        (accept, "accepted", ""),
        (nothing, "accepted", ""),
        (break_down, "wrong", "KeyError: 'a key'"),
        (exit_otherwise, "wrong", "exit code 1"),
        (say_more, "wrong", "something else | error: wrong"),
        (say_more_in_c, "wrong", "a library's own words"),
        (leave, "wrong", "left half.tmp behind"),
        (leave_folder, "wrong", "left half behind"),
        (hang, "wrong", "no answer within"),
    ],
)
def test_only_one_line_with_exit_code_2_and_nothing_left_is_a_refusal(
    work: Callable[[Path], None], verdict: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "PATIENCE", 0.2)
    found = outcome(work, tmp_path, monkeypatch)
    assert (found.number, found.verdict) == (7, verdict) and said in found.said
    assert not any((tmp_path / "room").iterdir())


def test_an_answer_that_takes_too_long_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "LIMIT", 0.0)
    assert "took" in outcome(refuse, tmp_path, monkeypatch).said


OTHER_PROCESS = """
import json, os, signal, sys
work, wanted = sys.argv[1], json.loads(sys.argv[2])
with open(work + "/record.jsonl", "a", buffering=1) as record:
    say = lambda event: record.write(json.dumps(event) + "\\n")
    numbers = [0, 1, 2, 3] if wanted is None else wanted
    say({"cases": numbers})
    for number in numbers:
        case = {"number": number, "entry": "toy", "kind": "kind", "story": "story"}
        say(case)
        if number == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        if number == 2:
            signal.pause()
        say({"outcome": {**case, "verdict": "refused", "said": "error: wrong", "seconds": 0.1}})
"""


def test_an_input_that_brings_the_process_down_or_hangs_in_it_is_told_and_the_rest_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(work: Path, seed: int, inputs: int, wanted: Any) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-c", OTHER_PROCESS, str(work), str(wanted).replace("None", "null")])

    monkeypatch.setattr(watch, "_start", start)
    monkeypatch.setattr(watch, "SILENT", 1)
    found = list(watch.outcomes(tmp_path, 777, 4, None, lambda _: None))
    assert [(one.number, one.verdict) for one in found] == [(0, "refused"), (1, "wrong"), (2, "wrong"), (3, "refused")]
    assert "SIGSEGV" in found[1].said and "SIGKILL" in found[2].said


def test_what_is_wrong_is_told_with_what_makes_it_again() -> None:
    found = [
        Outcome(0, "toy", "kind", "story", "refused", "error: wrong", 0.5),
        Outcome(3, "toy", "kind", "another", "wrong", "KeyError", 0.1),
        Outcome(4, "other", "kind", "third", "accepted", "", 9.0),
    ]
    last = as_text(found).splitlines()[-1].split()
    assert last == ["all", "3", "1", "1", "1", "0.50"]
    told = wrong_ones(found, "python -m bench.fuzz")
    assert "another" in told and told.endswith("again: python -m bench.fuzz --only 3")
    assert not wrong_ones(found[:1], "")


def test_a_seed_draws_the_same_inputs_and_every_entry_point_has_some() -> None:
    one, again, other = (drawn(targets(), 600, seed) for seed in (1, 1, 2))
    assert [(case.entry, case.input.story) for case in one] == [(case.entry, case.input.story) for case in again]
    assert [case.input.story for case in one] != [case.input.story for case in other]
    assert {case.entry for case in one} == set(ENTRIES) and len(one) >= 600
