"""Two devices, and two processes, compute what one device computes; a lost worker ends a run that then goes on."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hicmd_tf.config import Config, with_values
from hicmd_tf.data.batches import REAL, BatchPlanner, Share, batches, divided
from hicmd_tf.data.datasets import load
from hicmd_tf.engines import chosen
from hicmd_tf.engines.tensorflow import devices
from hicmd_tf.errors import UserError

TESTS = Path(__file__).parents[2]
RUNS = Path(__file__).with_name("device_runs.py")
SMOKE = TESTS / "fixtures" / "smoke.yaml"
DEADLINE = 900  # seconds, only so that a hang ends
SETTINGS = {
    "data.synthetic.identities": 20,
    "batch.pairs": 4,
    "batch.negatives": 4,
    "batch.norm_groups": 2,
    "batch.erasing": 0.5,
    "networks.feature_learning.dropout": 0.5,
    # Fewer layers, whose graphs are made again in each process.
    "networks.prototype_encoder.residual_blocks": 0,
    "networks.decoder.residual_blocks": 1,
    "networks.discriminator.scales": 1,
    "networks.discriminator.residual_blocks": 0,
}
ENDLESS = 10**6  # steps of a run that is stopped


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(TESTS.parent), **more}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def compared(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Losses of the first three steps on one device, and on two."""
    out = tmp_path_factory.mktemp("compared") / "losses.json"
    settings = json.dumps({**SETTINGS, "data.directory": str(data)})
    command = [sys.executable, str(RUNS), "compare", str(SMOKE), settings, str(out)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(out.read_text())


class Workers:
    """Two processes that train one run; those that are left end with the test."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.data, self.folder, self.running = data, folder, []
        self.run = folder / "run"

    def start(self, *options: str) -> list[subprocess.Popen[str]]:
        cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
        return [self._start(cluster, index, options) for index in range(2)]

    def _start(self, cluster: dict[str, list[str]], index: int, options: tuple[str, ...]) -> subprocess.Popen[str]:
        settings = {
            **SETTINGS,
            "data.directory": self.data,
            "training.steps": ENDLESS,
            "training.picture_every": ENDLESS,
        }
        given = [text for key, value in settings.items() for text in (f"--{key}", str(value))]
        # Only the chief's folder may be written.
        run = self.run if index == 0 else self.folder / "untouched"
        command = [sys.executable, str(RUNS), "fit", "--config", str(SMOKE), "--run", str(run), *given, *options]
        task = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        with self.errors(index).open("w") as file:
            process = subprocess.Popen(command, env=environment(TF_CONFIG=task), stderr=file, stdout=file, text=True)
        self.running.append(process)
        return process

    def errors(self, index: int) -> Path:
        return self.folder / f"worker_{index}.log"

    def rows(self) -> list[dict[str, str]]:
        table = self.run / "losses.csv"
        if not table.exists():
            return []
        with table.open() as file:
            return list(csv.DictReader(file))

    def wait(self, until: Callable[[], bool]) -> None:
        end = time.monotonic() + DEADLINE
        while not until():
            logs = [self.errors(index).read_text()[-2000:] for index in range(2)]
            assert all(process.poll() is None for process in self.running), logs
            assert time.monotonic() < end, logs
            time.sleep(0.2)


def free_ports(count: int) -> list[int]:
    """Ports that the system has just given out, and so gives to nobody else at once."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture
def workers(data: Path, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(data, tmp_path)
    yield made
    for process in made.running:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_two_devices_equal_one(compared: dict[str, Any]) -> None:
    """Dropout, erasing and alternate sampling included."""
    assert len(compared["one"]) == len(compared["two"]) == 3
    for one, two in zip(compared["one"], compared["two"], strict=True):
        assert one == pytest.approx(two, rel=1e-5)
    assert compared["running"] < 1e-4


@pytest.mark.slow
def test_two_processes_equal_one_device_and_go_on_when_one_was_lost(compared: dict[str, Any], workers: Workers) -> None:
    chief, other = workers.start()
    workers.wait(lambda: len(workers.rows()) > 4)
    other.kill()
    assert chief.wait(DEADLINE) == 2, workers.errors(0).read_text()[-3000:]
    lines = workers.errors(0).read_text().splitlines()
    assert [line for line in lines if line.startswith("error: another of the 2 workers ended") and "--resume" in line]
    for one, row in zip(compared["one"], workers.rows(), strict=False):
        assert one == pytest.approx({name: float(row[name]) for name in one}, rel=1e-5)

    newest = max(int(path.stem.split("-")[1]) for path in (workers.run / "checkpoints").glob("step-*"))
    lost, before = len(workers.rows()), workers.rows()[newest - 1]
    workers.running.clear()
    chief, other = workers.start("--resume")
    workers.wait(lambda: len(workers.rows()) > lost)
    other.send_signal(signal.SIGTERM)
    assert [process.wait(DEADLINE) for process in (chief, other)] == [130, 130]
    rows = workers.rows()
    assert [int(row["step"]) for row in rows] == list(range(1, len(rows) + 1)) and rows[newest - 1] == before
    assert not (workers.folder / "untouched").exists()


def of_worker(monkeypatch: pytest.MonkeyPatch, cluster: dict[str, list[str]], kind: str, index: int) -> None:
    task = {"type": kind, "index": index}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}']
)
def test_a_tf_config_that_makes_no_sense_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="TF_CONFIG is"):
        chosen.cluster()


def test_the_chief_is_the_first_worker_or_of_its_own_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert chosen.cluster() == (0, 1, "") and chosen.cluster().is_chief
    of_worker(monkeypatch, {"chief": ["a:1"], "worker": ["b:1", "c:1"]}, "worker", 1)
    assert chosen.cluster() == (2, 3, "a:1") and not chosen.cluster().is_chief


def test_workers_on_this_machine_ask_each_other_without_a_proxy(
    smoke_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_worker(monkeypatch, {"worker": ["127.0.0.1:1", "10.0.0.1:3"]}, "worker", 0)
    monkeypatch.setenv("no_grpc_proxy", "example.org")
    strategy = SimpleNamespace(num_replicas_in_sync=2, scope=lambda: os.environ["no_grpc_proxy"])  # noqa: SIM112
    monkeypatch.setattr(devices.tf.distribute, "MultiWorkerMirroredStrategy", lambda: strategy)
    exceptions = set(devices.devices(with_values(smoke_config, {"batch.norm_groups": 2})).split(","))
    assert {"example.org", "127.0.0.1", "localhost"} < exceptions and "10.0.0.1" not in exceptions


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "too few": (
        {"training.devices": 2, "batch.norm_groups": 2},
        r"training\.devices is 2: this machine has 1; choose so many or fewer",
    ),
    "groups": ({}, r"batch\.norm_groups is 1: 2 devices .* take a multiple of 2"),
    "memory": (
        {"training.devices": 2, "batch.norm_groups": 2, "training.memory": "low"},
        r"training\.memory is low: that goes with one device",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_devices_that_do_not_fit_are_refused(name: str, smoke_config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, says = REFUSED[name]
    if name == "too few":
        monkeypatch.setattr(devices.tf.config, "list_logical_devices", lambda kind: [SimpleNamespace(name=kind)])
    elif name == "groups":
        of_worker(monkeypatch, {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}, "worker", 0)
    elif name == "memory":
        monkeypatch.setattr(devices, "_of_this_machine", lambda number: SimpleNamespace(num_replicas_in_sync=number))
    with pytest.raises(UserError, match=says):
        devices.devices(with_values(smoke_config, settings))


def test_shares_make_the_whole_batch(smoke_config: Config) -> None:
    samples = load(smoke_config.data).train
    planner = BatchPlanner(samples, smoke_config.batch, smoke_config.data.height, smoke_config.data.width, 3)
    whole = next(iter(batches(planner, samples, 2, 3)))
    of_workers = [next(iter(batches(planner, samples, 2, 3, Share(index, 2)))) for index in range(2)]
    for parts in (of_workers, divided(whole, 2)):
        for name in REAL:
            np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), whole[name])
        for name, boxes in whole["erasing"].items():
            np.testing.assert_array_equal(np.concatenate([part["erasing"][name] for part in parts]), boxes)
        for part in parts:
            np.testing.assert_array_equal(part["identities"], whole["identities"])
