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

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "tests" / "fixtures" / "smoke_embedding.yaml"
PATIENCE = 300  # seconds


def wait_for(there: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + PATIENCE
    while not there():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)


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
