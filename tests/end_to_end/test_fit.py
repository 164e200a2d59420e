"""Whole runs from the command line, on the smallest configuration: what they make, how they stop and resume."""

import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hicmd_tf.commands import reproduce

SMOKE = Path(__file__).parents[1] / "fixtures" / "smoke.yaml"
TERMS = ("same", "cross", "cycle", "code", "kl", "adversarial", "cross_entropy", "triplet", "discriminator", "alpha")
FIGURES = ("rank1", "rank5", "rank10", "rank20", "mAP", "mINP")
DIRECTIONS = ("visible_to_infrared", "infrared_to_visible")
STEPS = 6
DEADLINE = 300  # seconds, only so that a hang ends


def command(module: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "hicmd_tf", module, *options]


def fit_options(data: Path, run: Path, *more: str) -> list[str]:
    return ["--config", str(SMOKE), "--data.directory", str(data), "--run", str(run), "--no-report", *more]


def run_module(module: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(module, *options), capture_output=True, text=True, timeout=DEADLINE, check=False)


def variables(run: Path) -> dict[str, np.ndarray]:
    """Every tensor of the newest checkpoint."""
    newest = tf.train.latest_checkpoint(str(run / "checkpoints"))
    reader = tf.train.load_checkpoint(newest)
    # A checkpoint also counts how often it was saved, which is no part of the training.
    names = [name for name in reader.get_variable_to_shape_map() if "save_counter" not in name]
    return {name: reader.get_tensor(name) for name in names}


def metrics_of(run: Path) -> dict:
    """metrics.json but for the code behind it, which someone may edit while the tests run."""
    metrics = json.loads((run / "metrics.json").read_text())
    del metrics["provenance"]["origins"]
    return metrics


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> Path:
    """An uninterrupted run."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    done = run_module("fit", *(option for option in fit_options(data, run) if option != "--no-report"))
    assert done.returncode == 0, done.stderr
    assert "visible -> infrared" in done.stdout
    return run


def test_a_run_folder_holds_everything(whole):
    metrics = json.loads((whole / "metrics.json").read_text())
    for scores in (metrics, metrics["untrained"], metrics["chance"], metrics["raw_pixels"]):
        for direction in DIRECTIONS:
            assert all(0 <= scores[direction][figure] <= 1 for figure in FIGURES)
    assert metrics["steps"] == STEPS and metrics["split"] == "test"
    with (whole / "losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert int(rows[-1]["step"]) == STEPS
    assert all(math.isfinite(float(row[term])) for row in rows for term in TERMS)
    for row in rows:
        assert float(row["generator_rate"]) > 0 and float(row["feature_rate"]) > 0
    with (whole / "evaluations.csv").open() as file:
        evaluations = list(csv.DictReader(file))
    assert [int(row["step"]) for row in evaluations] == [3, STEPS]
    for direction in DIRECTIONS:  # what is evaluated behind the last iteration is the run's result
        assert all(
            math.isclose(float(evaluations[-1][f"{direction}_{f}"]), metrics[direction][f], rel_tol=1e-6)
            for f in FIGURES
        )
    tags = {
        (event.step, value.tag)
        for file in (whole / "tensorboard").glob("events*")
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    }
    assert {(3, "pictures"), (6, "pictures"), (6, "evaluation/visible_to_infrared_mAP"), (6, "cross")} <= tags
    assert (whole / "tensorboard" / "projector" / "descriptors.tsv").is_file()
    with Image.open(whole / "pictures" / "final.png") as picture:
        assert len(picture.convert("RGB").getcolors(picture.width * picture.height)) > 20
    assert (whole / "config.yaml").is_file() and "tensorflow" in json.loads((whole / "environment.json").read_text())


def test_a_run_ends_with_its_report(whole):
    page = (whole / "report.html").read_text()
    for title in (
        "Losses over the steps",
        "Rank-1 and mAP over the steps",
        "CMC",
        "Hardest queries, visible to infrared",
        "Pose swapped, all else kept",
        "Where the descriptor looks",
        "Distances within and between people",
    ):
        assert f">{title}<" in page


def test_the_written_configuration_is_whole(whole):
    from hicmd_tf.config import load, to_dict

    config = load(whole / "config.yaml")
    assert to_dict(config)["batch"] == to_dict(load(SMOKE))["batch"]


def test_evaluate_repeats_the_figures(whole):
    before = metrics_of(whole)
    done = run_module("evaluate", "--run", str(whole))
    assert done.returncode == 0, done.stderr
    assert metrics_of(whole) == before


def test_a_killed_run_resumes_and_ends_as_an_uninterrupted_one(data, whole, tmp_path):
    run = tmp_path / "killed"
    process = subprocess.Popen(
        command("fit", *fit_options(data, run)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: list((run / "checkpoints").glob("ckpt-*.index")), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (run / "metrics.json").exists()
    done = run_module("fit", *fit_options(data, run, "--resume"))
    assert done.returncode == 0, done.stderr
    assert metrics_of(run) == metrics_of(whole)
    expected, resumed = variables(whole), variables(run)
    assert expected.keys() == resumed.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)
    assert (run / "losses.csv").read_text() == (whole / "losses.csv").read_text()


@pytest.mark.filterwarnings("ignore:code")  # which someone may edit while the tests run
def test_a_run_is_reproduced_to_the_bit_and_what_was_tampered_with_is_told(whole, tmp_path, capsys):
    again, tampered = tmp_path / "again", tmp_path / "tampered"
    done = run_module("reproduce", str(whole), "--run", str(again))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("reproduced to the bit")
    expected, repeated = variables(whole), variables(again)
    assert expected.keys() == repeated.keys()
    assert all(np.array_equal(repeated[name], value) for name, value in expected.items())
    assert (again / "losses.csv").read_bytes() == (whole / "losses.csv").read_bytes()
    assert json.loads((again / "reproduction.json").read_text())["exact"]

    shutil.copytree(whole, tampered)
    *above, last, _ = (whole / "losses.csv").read_text().split("\n")
    cells = last.split(",")
    (tampered / "losses.csv").write_text("\n".join([*above, ",".join([cells[0], f"{cells[1]}1", *cells[2:]]), ""]))
    with pytest.raises(SystemExit) as stopped:  # all is trained already: it is only compared once more
        reproduce.main([str(tampered), "--run", str(again)])
    assert stopped.value.code == 1
    printed = capsys.readouterr().out
    assert f"first at step {STEPS}, " in printed and f": {cells[1]}1 was, {cells[1]} is" in printed
    assert "equal bit for bit" in printed and "not to the bit" in printed.splitlines()[-1]


def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on(data, tmp_path):
    run = tmp_path / "interrupted"
    process = subprocess.Popen(
        command("fit", *fit_options(data, run, "--training.steps", "100000")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: list((run / "checkpoints").glob("ckpt-*.index")), process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    assert "--resume" in errors and "Traceback" not in errors
    assert tf.train.latest_checkpoint(str(run / "checkpoints"))


def wait_for(condition, process) -> None:
    limit = time.monotonic() + DEADLINE
    while not condition():
        assert process.poll() is None, "the run ended before it was to be stopped"
        assert time.monotonic() < limit, "the run never came to its first checkpoint"
        time.sleep(0.05)


MISTAKES = {
    "unknown key": (["--batch.pair", "3"], "batch.pairs"),
    "missing configuration": (["--config", "nowhere.yaml"], "nowhere.yaml"),
    "a batch of too many identities": (["--batch.pairs", "40"], "batch.pairs"),
    "a size that the strides can't take": (["--data.height", "30"], "data.height"),
    "no resnet weights": (["--networks.resnet_weights", "nowhere.pth"], "nowhere.pth"),
    "data in a file": (["--data.directory", str(SMOKE)], "smoke.yaml"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_get_one_line_and_exit_code_2(name, data, tmp_path):
    options, named = MISTAKES[name]
    done = run_module("fit", *fit_options(data, tmp_path / "run", *options))
    assert_one_line(done, named)


def test_a_run_folder_in_use_is_not_overwritten(data, whole):
    before = (whole / "metrics.json").read_text()
    assert_one_line(run_module("fit", *fit_options(data, whole)), "--resume")
    changed = run_module("fit", *fit_options(data, whole, "--resume", "--losses.kl", "2"))
    assert_one_line(changed, "losses.kl")
    assert (whole / "metrics.json").read_text() == before


def test_evaluating_what_is_no_run_says_so(tmp_path):
    assert_one_line(run_module("evaluate", "--run", str(tmp_path / "nothing")), "nothing")


def test_a_corrupt_picture_is_named(data, whole, tmp_path):
    """A byte changed in the prepared data set: the run names it before it trains."""
    records = max(data.rglob("*array_record*"), key=os.path.getsize)
    original = records.read_bytes()
    middle = len(original) // 2
    try:
        records.write_bytes(original[:middle] + bytes(64) + original[middle + 64 :])
        done = run_module("fit", *fit_options(data, tmp_path / "run"))
    finally:
        records.write_bytes(original)
    assert_one_line(done, "synthetic_vi")


def assert_one_line(done: subprocess.CompletedProcess[str], named: str) -> None:
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and named in lines[0], done.stderr
    assert "Traceback" not in done.stderr
