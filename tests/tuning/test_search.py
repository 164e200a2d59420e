"""Whole searches on the smallest configuration: what they make, how they go on, what they refuse."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner as kt
import numpy as np
import pytest
from PIL import Image
from tensorflow.python.summary.summary_iterator import summary_iterator

from hicmd_tf.commands import fit, tune
from hicmd_tf.config import Config, load
from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.errors import UserError
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.training.run import train
from hicmd_tf.tuning.space import space_of
from hicmd_tf.tuning.tuner import WeightedModel

PLUMBING = Path(__file__).parents[1] / "fixtures" / "plumbing.yaml"
PEOPLE = {"data.synthetic.identities": 16, "data.held_out": 4}
DEADLINE = 400  # seconds, only so that a hang ends

pytestmark = pytest.mark.usefixtures("graphs")


def options(data: Path, out: Path, *more: str) -> list[str]:
    people = [word for key, value in PEOPLE.items() for word in (f"--{key}", str(value))]
    return [
        "--config",
        str(PLUMBING),
        "--data.directory",
        str(data),
        *people,
        "--intervals",
        "3",
        "--out",
        str(out),
        *more,
    ]


def config_of(data: Path, **overrides: Any) -> Config:
    return load(PLUMBING, {"data.directory": str(data), **PEOPLE, **overrides})


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as content:
        return list(csv.DictReader(content))


def times(out: Path) -> dict[str, int]:
    """When each trial's figures were written."""
    return {file.parent.name: file.stat().st_mtime_ns for file in out.glob("runs/*/metrics.json")}


def values(hp: kt.HyperParameters, **others: float) -> kt.HyperParameters:
    found = hp.copy()
    found.values = {one.name: one.default for one in hp.space} | {
        key.replace("__", "."): v for key, v in others.items()
    }
    return found


def test_trials_trace_nothing_anew_and_are_what_fit_makes_of_their_configuration(
    smoke_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces: list[int] = []
    step = HiCMD.train_step
    monkeypatch.setattr(HiCMD, "train_step", lambda self, batch: (traces.append(1), step(self, batch))[1])
    config = config_of(smoke_directory)
    model = WeightedModel(config, space_of(config), 3)
    first = values(model.space)
    other = values(model.space, losses__cross=0.7, losses__margin=1.1, optimisers__feature_rate=0.1)
    figures, found = {}, {}
    for name, hp in (("first", first), ("other", other), ("again", first)):
        folder = RunFolder(tmp_path / name)
        before = len(traces)
        figures[name] = model.fit(hp, model.build(hp), folder, lambda start: [])
        assert len(traces) == before or name == "first"
        found[name] = folder.losses.read_text()
    assert found["again"] == found["first"] != found["other"]
    for name, hp in (("first", first), ("other", other)):
        alone = RunFolder(tmp_path / f"{name}_alone")
        assert train(model.configuration(hp.values), alone) == figures[name]
        assert alone.losses.read_text() == found[name]


def test_a_search_leaves_all_it_promises_and_goes_on(smoke_directory: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "search"
    arguments = options(smoke_directory, out, "--tuner", "random")
    tune.main([*arguments, "--max-trials", "2"])
    assert "best: trial" in capsys.readouterr().out
    before = times(out)
    assert sorted(before) == ["trial_0", "trial_1"]
    with pytest.raises(UserError, match="--resume"):
        tune.main([*arguments, "--max-trials", "2"])
    with pytest.raises(UserError, match=r"training\.steps is 7, but .* was begun with 6"):
        tune.main([*arguments, "--max-trials", "2", "--steps", "7", "--resume"])
    tune.main([*arguments, "--max-trials", "3", "--resume"])
    after = times(out)
    assert len(after) == 3 and before.items() < after.items()

    table = rows(out / "trials.csv")
    assert [row["rank"] for row in table] == ["1", "2", "3"]
    objectives = [float(row["objective"]) for row in table]
    assert objectives == sorted(objectives, reverse=True)
    config = config_of(smoke_directory)
    (first,) = [row for row in table if row["trial"] == "0"]
    assert float(first["losses.cross"]) == config.losses.cross
    assert load(out / "runs" / "trial_0" / "config.yaml") == config
    for row in table:
        run = out / "runs" / f"trial_{row['trial']}"
        assert json.loads((run / "metrics.json").read_text())["objective"] == pytest.approx(
            float(row["objective"]), abs=1e-6
        )
        reported = rows(run / "held_out.csv")
        assert [int(line["step"]) for line in reported] == [2, 4, 6]
        assert float(reported[-1]["objective"]) == pytest.approx(float(row["objective"]), abs=1e-6)
        assert hyperparameters(run / "tensorboard") >= {"losses.cross", "optimisers.alpha_rate"}
    assert Image.open(out / "trials.png").size[0] > 500

    fit.main(["--config", str(out / "best.yaml"), "--run", str(tmp_path / "best")])
    repeated = json.loads((tmp_path / "best" / "metrics.json").read_text())
    assert repeated["objective"] == pytest.approx(objectives[0], abs=1e-6)
    assert repeated["split"] == "held_out"


def hyperparameters(folder: Path) -> set[str]:
    """What TensorBoard's table of hyperparameters knows of a run."""
    from tensorboard.plugins.hparams import plugin_data_pb2

    found: set[str] = set()
    for file in folder.glob("events.*"):
        for event in summary_iterator(str(file)):
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "hparams":
                    data = plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
                    found |= set(data.session_start_info.hparams)
    return found


def test_hyperband_goes_on_with_the_best_of_its_short_trials(smoke_directory: Path, tmp_path: Path) -> None:
    out = tmp_path / "search"
    tune.main(options(smoke_directory, out, "--tuner", "hyperband", "--max-trials", "4"))
    steps = {row["trial"]: int(row["steps"]) for row in rows(out / "trials.csv")}
    assert steps == {"0": 2, "1": 2, "2": 2, "3": 6}
    short = {row["trial"]: float(row["objective"]) for row in rows(out / "trials.csv") if row["trial"] != "3"}
    begun = load(out / "runs" / f"trial_{max(short, key=lambda name: short[name])}" / "config.yaml")
    longer = load(out / "runs" / "trial_3" / "config.yaml")
    assert (longer.losses, longer.optimisers) == (begun.losses, begun.optimisers)
    whole = RunFolder(tmp_path / "whole")
    metrics = train(longer, whole)  # in one go
    assert json.loads((out / "runs" / "trial_3" / "metrics.json").read_text()) == metrics
    assert (out / "runs" / "trial_3" / "losses.csv").read_text() == whole.losses.read_text()


def test_trials_that_meet_nan_fail_alone(smoke_directory: Path, tmp_path: Path, capsys: Any) -> None:
    ranges = tmp_path / "space.yaml"
    ranges.write_text("optimisers.generator_rate: [3.0e-3, 1.0e+30]\n")
    out = tmp_path / "search"
    arguments = options(smoke_directory, out, "--tuner", "random", "--max-trials", "3", "--space", str(ranges))
    tune.main(arguments)
    printed = capsys.readouterr()
    assert "failed: " in printed.err and "Traceback" not in printed.err
    table = rows(out / "trials.csv")
    assert "0" in [row["trial"] for row in table if row["objective"]]
    failed = [row for row in table if not row["objective"]]
    assert failed and all(row["reason"].startswith("step ") and not row["rank"] for row in failed)
    assert load(out / "best.yaml") == load(out / "runs" / f"trial_{table[0]['trial']}" / "config.yaml")


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--tuner", "grid"], r"--tuner is 'grid': expected random, bayesian or hyperband"),
        (["--max-trials", "0"], "--max-trials is 0: expected 1 or more"),
        (["--workers", "-1"], "--workers is -1: expected 1 or more"),
        (["--intervals", "7"], "--intervals is 7: 6 steps have at most so many"),
        (["--max-trials", "many"], "max"),
        (["--data.held_out", "1"], r"data\.held_out would be 1.*at least 2"),
        (["--data.held_out", "10"], r"data\.held_out is 10"),
        (["--data.held_out", "9"], r"batch\.pairs is 2"),
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
    with pytest.raises(UserError, match="can't be written"):
        tune.main(options(smoke_directory, tmp_path / "file" / "search"))
    with pytest.raises(UserError, match="holds no search"):
        tune.main(options(smoke_directory, tmp_path))
    assert (tmp_path / "file").read_text() == "mine"


def test_half_an_environment_is_refused(smoke_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "worker3")
    with pytest.raises(UserError, match="KERASTUNER_ORACLE_IP is not"):
        tune.main(options(smoke_directory, tmp_path / "search"))


def wait_for(condition: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    limit = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < limit, "waited too long"
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)


def children(process: "subprocess.Popen[str]") -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    return [int(number) for number in listed.stdout.split()]


def test_two_workers_and_kills_of_one_and_of_the_chief(smoke_directory: Path, tmp_path: Path) -> None:
    out = tmp_path / "search"
    trials = 5
    command = [sys.executable, "-m", "hicmd_tf", "tune"]
    command += options(smoke_directory, out, "--tuner", "random", "--max-trials", str(trials), "--workers", "2")

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
    wait_for(lambda: len(list(out.glob("runs/*/checkpoints/*.index"))) >= 1, process)
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

    assert len(ended()) == trials and len(rows(out / "trials.csv")) == trials
    for name, text in scores.items():
        assert json.loads(ended()[name])["score"] == json.loads(text)["score"]
        assert times(out)[name] == figures[name]  # not run again
    for name, text in ended().items():
        objective = json.loads((out / "runs" / name / "metrics.json").read_text())["objective"]
        assert json.loads(text)["score"] == pytest.approx(objective, abs=1e-6)
    assert len({np.round(json.loads(text)["score"], 12) for text in ended().values()}) > 1
    best = load(out / "best.yaml")
    assert load(out / "runs" / f"trial_{rows(out / 'trials.csv')[0]['trial']}" / "config.yaml") == best
