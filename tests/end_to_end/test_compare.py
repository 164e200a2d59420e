"""`hicmd compare` in processes of its own: stopped while a run trains, it goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hicmd_tf.errors import INTERRUPTED
from hicmd_tf.runs.folder import RunFolder

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "tests" / "fixtures" / "smoke_embedding.yaml"
PATIENCE = 300  # seconds


def wait_for(there: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + PATIENCE
    while not there():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)


def call(*words: object, at: Path) -> tuple[int, str]:
    """Exit code, and what a command says."""
    command = [sys.executable, "-m", "hicmd_tf", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=at, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.slow
def test_calls_of_few_minutes_end_where_a_long_one_does_to_the_bit(smoke_directory: Path, tmp_path: Path) -> None:
    settings = ["--data.directory", smoke_directory, "--steps", 300, "--training.checkpoint_every", 70]
    words = ["compare", SMOKE, "--seeds", "1,2", *settings, "--no-report", "--no-hand-crafted", "--out"]
    assert call(*words, "whole", at=tmp_path)[0] == 0
    minutes, codes, texts = 0.2, [], []
    while not codes or codes[-1] == INTERRUPTED:
        code, said = call(*words, "parts", "--resume", "--minutes", minutes, at=tmp_path)
        codes.append(code)
        texts.append(said)
        minutes *= 2  # however slow the machine, it comes to an end
    assert len(codes) > 1 and codes[-1] == 0 and all(code == INTERRUPTED for code in codes[:-1])
    assert all("minutes are over" in said for said in texts[:-1]) and "minutes are over" not in texts[-1]
    for run in ("smoke_embedding_1", "smoke_embedding_2"):
        one, other = (RunFolder(tmp_path / folder / "runs" / run) for folder in ("parts", "whole"))
        assert one.losses.read_bytes() == other.losses.read_bytes()
        assert one.evaluations.read_bytes() == other.evaluations.read_bytes()
        mine, its = one.checkpoint().arrays, other.checkpoint().arrays
        assert mine.keys() == its.keys() and all(mine[name].tobytes() == its[name].tobytes() for name in mine)


@pytest.mark.slow
def test_a_stopped_comparison_goes_on_where_it_was(smoke_directory: Path, tmp_path: Path) -> None:
    settings = ["--data.directory", smoke_directory, "--steps", 600, "--training.picture_every", 100]
    words = ["compare", SMOKE, "--seeds", "1,2", *settings, "--no-report", "--no-hand-crafted", "--out", "out"]
    command = [sys.executable, "-m", "hicmd_tf", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    first, second = (tmp_path / "out" / "runs" / f"smoke_embedding_{seed}" for seed in (1, 2))
    begun = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_for(lambda: any(second.glob("checkpoints/step-*")), begun)
    begun.send_signal(signal.SIGTERM)
    said = begun.communicate()[1].decode()
    assert begun.returncode == INTERRUPTED and "stopped in smoke_embedding, seed 2; go on with the same command" in said
    before = {file: file.stat().st_mtime_ns for file in first.rglob("*") if file.is_file()}
    assert not (second / "metrics.json").exists() and not (tmp_path / "out" / "comparison.md").exists()
    steps = json.loads((second / "costs.json").read_text())["clock"]
    subprocess.run([*command, "--resume"], cwd=tmp_path, env=environment, check=True)
    assert before == {file: file.stat().st_mtime_ns for file in first.rglob("*") if file.is_file()}
    (row,) = json.loads((tmp_path / "out" / "comparison.json").read_text())["rows"]
    assert [run["seed"] for run in row["runs"]] == [1, 2]
    clock = json.loads((second / "costs.json").read_text())["clock"]
    assert clock[: len(steps)] == steps and clock[-1][0] == 600 and clock[-1][1] > steps[-1][1]
    assert clock[-1][1] == row["runs"][1]["training_seconds"]
