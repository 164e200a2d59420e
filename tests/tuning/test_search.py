"""Searches: what they make, how they go on, what they refuse. Trials are stand-ins but in one test."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import quick
from PIL import Image
from quick import PEOPLE, PLUMBING, TRIALS, Quick, config_of

from hicmd_tf.commands import tune
from hicmd_tf.config import load
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval import baselines
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.training import run
from hicmd_tf.tuning import tuner

DEADLINE = 400  # seconds, only so that a hang ends


@pytest.fixture
def standing_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner, "WeightedModel", Quick)


def options(data: Path, out: Path, *more: str) -> list[str]:
    """A command line of `hicmd tune`; of an option in `more` that it has already the value is another."""
    given = {"--config": str(PLUMBING), "--data.directory": str(data), "--intervals": "3", "--out": str(out)}
    given |= {f"--{key}": str(value) for key, value in PEOPLE.items()}
    flags = [word for word in more if word == "--resume"]
    words = [word for word in more if word != "--resume"]
    given |= dict(zip(words[::2], words[1::2], strict=True))
    return [*flags, *(word for pair in given.items() for word in pair)]


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as content:
        return list(csv.DictReader(content))


def times(out: Path) -> dict[str, int]:
    """When each trial's figures were written."""
    return {file.parent.name: file.stat().st_mtime_ns for file in out.glob("runs/*/metrics.json")}


@pytest.mark.usefixtures("standing_in")
def test_a_search_leaves_all_it_promises_and_goes_on(smoke_directory: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "search"

    def go(trials: int, *more: str) -> None:
        tune.main(options(smoke_directory, out, "--tuner", "random", "--max-trials", str(trials), *more))

    go(2)
    assert "best: trial" in capsys.readouterr().out
    before = times(out)
    assert sorted(before) == ["trial_0", "trial_1"]
    with pytest.raises(UserError, match="--resume"):
        go(2)
    with pytest.raises(UserError, match=r"training\.steps is 7, but .* was begun with 6"):
        go(2, "--steps", "7", "--resume")
    go(3, "--resume")
    assert len(times(out)) == 3 and before.items() < times(out).items()

    table = rows(out / "trials.csv")
    assert [row["rank"] for row in table] == ["1", "2", "3"]
    objectives = [float(row["objective"]) for row in table]
    assert objectives == sorted(objectives, reverse=True)
    config = config_of(smoke_directory)
    (first,) = [row for row in table if row["trial"] == "0"]
    assert float(first["losses.cross"]) == config.losses.cross
    assert load(out / "runs" / "trial_0" / "config.yaml") == config
    for row in table:
        trial = out / "runs" / f"trial_{row['trial']}"
        figures = json.loads((trial / "metrics.json").read_text())
        assert figures["objective"] == pytest.approx(float(row["objective"]), abs=1e-6)
    assert load(out / "best.yaml") == load(out / "runs" / f"trial_{table[0]['trial']}" / "config.yaml")
    assert Image.open(out / "trials.png").size[0] > 500


@pytest.mark.usefixtures("standing_in")
def test_hyperband_goes_on_with_the_best_of_its_short_trials(smoke_directory: Path, tmp_path: Path) -> None:
    out = tmp_path / "search"
    tune.main(options(smoke_directory, out, "--tuner", "hyperband", "--max-trials", "4"))
    steps = {row["trial"]: int(row["steps"]) for row in rows(out / "trials.csv")}
    assert steps == {"0": 2, "1": 2, "2": 2, "3": 6}
    short = {row["trial"]: float(row["objective"]) for row in rows(out / "trials.csv") if row["trial"] != "3"}
    begun = load(out / "runs" / f"trial_{max(short, key=lambda name: short[name])}" / "config.yaml")
    longer = load(out / "runs" / "trial_3" / "config.yaml")
    assert (longer.losses, longer.optimisers) == (begun.losses, begun.optimisers)
    assert (out / "runs" / "trial_3" / "losses.csv").read_text() == "2\n6\n"  # on top of the other's


@pytest.mark.usefixtures("standing_in")
def test_trials_that_meet_nan_fail_alone(smoke_directory: Path, tmp_path: Path, capsys: Any) -> None:
    ranges = tmp_path / "space.yaml"
    ranges.write_text("optimisers.generator_rate: [3.0e-3, 1.0e+30]\n")
    out = tmp_path / "search"
    more = ("--tuner", "random", "--max-trials", "3", "--space", str(ranges))
    tune.main(options(smoke_directory, out, *more))
    printed = capsys.readouterr()
    assert "failed: step 1: cross became nan" in printed.err and "Traceback" not in printed.err
    table = rows(out / "trials.csv")
    assert "0" in [row["trial"] for row in table if row["objective"]]
    failed = [row for row in table if not row["objective"]]
    assert failed and all(row["reason"].startswith("step ") and not row["rank"] for row in failed)
    assert load(out / "best.yaml") == load(out / "runs" / f"trial_{table[0]['trial']}" / "config.yaml")


@pytest.mark.usefixtures("standing_in")
def test_a_search_goes_on_when_its_pictures_have_moved_but_with_no_others(
    smoke_directory: Path, tmp_path: Path
) -> None:
    out, data = tmp_path / "search", tmp_path / "moved"
    tune.main(options(smoke_directory, out, "--max-trials", "1"))
    shutil.copytree(smoke_directory, data)
    tune.main(options(data, out, "--max-trials", "2", "--resume"))
    assert len(times(out)) == 2
    study = json.loads((out / "study.json").read_text())
    study["pictures"]["train"] = "0" * 64
    (out / "study.json").write_text(json.dumps(study))
    with pytest.raises(UserError, match="the train pictures, their names or labels are not those that"):
        tune.main(options(data, out, "--max-trials", "3", "--resume"))


def test_a_trial_is_what_fit_makes_of_its_configuration(
    smoke_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    distances = baselines._distances
    monkeypatch.setattr(baselines, "_distances", lambda *given: (counted.append(1), distances(*given))[1])
    out = tmp_path / "search"
    few = ("--tuner", "random", "--max-trials", "2", "--steps", "1", "--intervals", "1")
    tune.main(options(smoke_directory, out, *few))
    assert len(counted) == 2  # of the first trial, and of the report
    for row in rows(out / "trials.csv"):
        trial = RunFolder(out / "runs" / f"trial_{row['trial']}")
        reported = rows(trial.path / "held_out.csv")
        assert [int(line["step"]) for line in reported] == [1]
        assert float(reported[-1]["objective"]) == pytest.approx(float(row["objective"]), abs=1e-6)
        assert json.loads(trial.metrics.read_text())["split"] == "held_out"
    alone, second = RunFolder(tmp_path / "alone"), RunFolder(out / "runs" / "trial_1")
    assert run.train(load(second.config), alone) == json.loads(second.metrics.read_text())
    assert alone.losses.read_text() == second.losses.read_text()


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--max-trials", "0"], "--max-trials: '0' is not a count, expected a whole number from 1 on"),
        (["--intervals", "7"], "--intervals is 7, more than training.steps, 6: give at most 6"),
        (["--max-trials", "many"], "max"),
        (["--data.held_out", "1"], r"data\.held_out would be 1.*at least 2"),
        (["--data.held_out", "10"], r"data\.held_out is 10"),
        (["--data.held_out", "9"], r"batch\.pairs, which is 2"),
        (["--losses.crosss", "3"], "losses.crosss"),
        (["--space", "missing.yaml"], "missing.yaml can't be read"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    more: list[str], named: str, smoke_directory: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=named) as error:
        tune.main(options(smoke_directory, tmp_path / "search", *more))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "search" / "study.json").exists()


def test_a_folder_that_is_no_search_or_cannot_be_written_is_refused(smoke_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out, said in ((tmp_path / "file" / "search", "can't be written"), (tmp_path, "holds no search")):
        with pytest.raises(UserError, match=said):
            tune.main(options(smoke_directory, out))
    assert (tmp_path / "file").read_text() == "mine"


def wait_for(condition: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    limit = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < limit, "waited too long"
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)


def children(process: "subprocess.Popen[str]") -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    return [int(number) for number in listed.stdout.split()]


@pytest.mark.slow
def test_two_workers_and_kills_of_one_and_of_the_chief(smoke_directory: Path, tmp_path: Path) -> None:
    out = tmp_path / "search"
    command = [sys.executable, quick.__file__, str(smoke_directory), str(out)]
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "grpc_proxy"), "http://127.0.0.1:9")
    environment = {**os.environ, **proxies, "no_proxy": ""}  # nobody answers there: loopback must go without

    def begin(*more: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )

    def ended() -> dict[str, str]:
        states = {file.parent.name: file.read_text() for file in out.glob("search/trial_*/trial.json")}
        return {name: text for name, text in states.items() if json.loads(text)["status"] == "COMPLETED"}

    process = begin()
    wait_for(lambda: list(out.glob("runs/*/losses.csv")), process)
    os.kill(children(process)[0], signal.SIGKILL)
    wait_for(ended, process)
    workers = children(process)
    process.kill()
    process.wait()
    limit = time.monotonic() + DEADLINE
    while any(Path(f"/proc/{worker}/stat").exists() for worker in workers):
        assert time.monotonic() < limit, "workers outlived their chief"
        time.sleep(0.05)
    scores, figures = ended(), times(out)
    process = begin("--resume")
    printed, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, errors
    assert "best: trial" in printed and "Traceback" not in errors

    assert len(ended()) == TRIALS and len(rows(out / "trials.csv")) == TRIALS
    for name, text in scores.items():
        assert json.loads(ended()[name])["score"] == json.loads(text)["score"]
        assert times(out)[name] == figures[name]  # not run again
    for name, text in ended().items():
        objective = json.loads((out / "runs" / name / "metrics.json").read_text())["objective"]
        assert json.loads(text)["score"] == pytest.approx(objective, abs=1e-6)
    assert len({np.round(json.loads(text)["score"], 12) for text in ended().values()}) > 1
    best = load(out / "best.yaml")
    assert load(out / "runs" / f"trial_{rows(out / 'trials.csv')[0]['trial']}" / "config.yaml") == best
