"""Several devices, and two processes, compute what one device computes; a lost worker ends a run, which goes on."""

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
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[2]
RUNS = Path(__file__).with_name("device_runs.py")
SMOKE, EMBEDDING = (TESTS / "fixtures" / name for name in ("smoke.yaml", "smoke_embedding.yaml"))
DEADLINE = 1200  # seconds, only so that a hang ends
SETTINGS = {
    "data.synthetic.identities": 20,
    "batch.pairs": 4,
    "batch.negatives": 4,
    "batch.norm_groups": 4,
    "batch.pad": 3,
    "batch.erasing": 0.5,
    "batch.channel_exchange": 0.5,
    "networks.feature_learning.dropout": 0.5,
    # Fewer layers, which are traced and compiled again for each case.
    "networks.prototype_encoder.residual_blocks": 0,
    "networks.decoder.residual_blocks": 1,
    "networks.discriminator.scales": 1,
    "networks.discriminator.residual_blocks": 0,
}
REACHING = {"sampling.detach_generated": False}  # identity losses reach the decoder
OF_EMBEDDING = {"data.synthetic.identities": 20, "batch.norm_groups": 4, "batch.erasing": 0.5}
STEMS = {"embedding.stem": "two", "embedding.own_stages": 1, "embedding.optimiser": "adam"}
CASES: dict[str, tuple[dict[str, Any], bool]] = {
    "one": ({}, False),
    "two": ({"training.devices": 2}, False),
    "four": ({"training.devices": 4}, True),
    "low": ({"training.memory": "low"}, False),
    "one reaching": (REACHING, True),
    "two reaching": ({"training.devices": 2, **REACHING}, True),
    "embedding": ({}, False),
    "embedding on two": ({"training.devices": 2}, False),
    "embedding on four": ({"training.devices": 4}, True),
    "embedding stems": (STEMS, True),
    "embedding stems on two": ({"training.devices": 2, **STEMS}, True),
}
"""Settings, and whether JAX computes few large things, as on accelerators."""
OF_EITHER = {"two": "one", "embedding on two": "embedding", "embedding stems on two": "embedding stems"}
EQUAL = {
    "tensorflow": OF_EITHER,  # test_frugal has its low memory
    "jax": {
        **OF_EITHER,
        **{"four": "one", "low": "one", "two reaching": "one reaching", "embedding on four": "embedding"},
    },
}
"""Cases of each engine, and what they equal."""
ENDLESS = 10**6  # steps of a run that is stopped


class Compared:
    """What an engine's cases gave: losses of each step, and the state after three of them. equal: cases, and which they
    equal. environment: of all its runs."""

    def __init__(self, engine: str, folder: Path) -> None:
        self.equal = EQUAL[engine]
        self.given = {"training.engine": engine, "data.directory": str(folder / "data")}
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(TESTS.parent),
            "KERAS_BACKEND": engine,
            # For JAX: double precision, and programs that are compiled once, and quickly.
            "JAX_PLATFORMS": "cpu",
            "JAX_ENABLE_X64": "1",
            "JAX_COMPILATION_CACHE_DIR": str(folder / "cache"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
        }
        # TensorFlow takes several devices once in a process.
        together = [[*pair] for pair in self.equal.items()] if engine == "tensorflow" else [[*CASES]]
        self.losses: dict[str, list[dict[str, float]]] = {}
        for number, names in enumerate(together):
            self._compute(names, folder / f"losses_{number}.json")
        self.state = {name: dict(np.load(folder / f"{name}.npz")) for name in self.losses}

    def _compute(self, names: list[str], out: Path) -> None:
        """Cases in a process of their own."""
        cases = {}
        for name in names:
            (more, joined), (config, settings) = CASES[name], self.beginning(name)
            cases[name] = [str(config), {**settings, **more}, joined]
        command = [sys.executable, str(RUNS), "compare", json.dumps(cases), str(out)]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=DEADLINE, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        self.losses |= json.loads(out.read_text())

    def beginning(self, name: str) -> tuple[Path, dict[str, Any]]:
        """Configuration and settings that a case's own are added to."""
        config, settings = (EMBEDDING, OF_EMBEDDING) if name.startswith("embedding") else (SMOKE, SETTINGS)
        return config, {**settings, **self.given}


@pytest.fixture(
    scope="module",
    params=[pytest.param(engine, marks=pytest.mark.xdist_group(f"{engine} devices")) for engine in EQUAL],
)
def compared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    if request.param == "jax":
        pytest.importorskip("jax", reason="JAX is not installed: pip install 'hicmd-tf[jax]'")
    return Compared(request.param, tmp_path_factory.mktemp("compared"))


def test_several_devices_and_little_memory_equal_one_device(compared: Compared) -> None:
    """Dropout, erasing and alternate sampling included."""
    for name, of in compared.equal.items():
        assert len(compared.losses[of]) == len(compared.losses[name]) == 3
        for one, other in zip(compared.losses[of], compared.losses[name], strict=True):
            assert one == pytest.approx(other, rel=1e-5), name
        one, other = compared.state[of], compared.state[name]
        assert one.keys() == other.keys()
        # Biases before a norm have a gradient that is nothing but rounding, and Adam divides by it.
        keys = [key for key in one if "bias" not in key]
        assert len(keys) > (100 if name.startswith("embedding") else 300) and any("moving_" in key for key in keys)
        for key in keys:
            assert np.abs(one[key] - other[key]).max() < 1e-4 * max(np.abs(one[key]).max(), 1e-6), (name, key)


class Workers:
    """Two processes that train one run, as one device trains a case; those that are left end with the test."""

    def __init__(self, compared: Compared, folder: Path) -> None:
        self.compared, self.folder, self.running = compared, folder, []
        self.run, self.case = folder / "run", "one"

    def start(self, *options: str) -> list[subprocess.Popen[str]]:
        cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
        return [self._start(cluster, index, options) for index in range(2)]

    def _start(self, cluster: dict[str, list[str]], index: int, options: tuple[str, ...]) -> subprocess.Popen[str]:
        config, settings = self.compared.beginning(self.case)
        settings |= {"training.steps": ENDLESS, "training.picture_every": ENDLESS}
        given = [text for key, value in settings.items() for text in (f"--{key}", str(value))]
        # Only the chief's folder may be written.
        run = self.run if index == 0 else self.folder / "untouched"
        command = [sys.executable, str(RUNS), "fit", "--config", str(config), "--run", str(run), *given, *options]
        task = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        with self.errors(index).open("w") as file:
            environment = {**self.compared.environment, "TF_CONFIG": task}
            process = subprocess.Popen(command, env=environment, stderr=file, stdout=file, text=True)
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
def workers(compared: Compared, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(compared, tmp_path)
    yield made
    for process in made.running:
        process.kill()
        process.wait()


def test_two_processes_equal_one_device_and_go_on_when_one_was_lost(compared: Compared, workers: Workers) -> None:
    chief, other = workers.start()
    workers.wait(lambda: len(workers.rows()) > 4)
    other.kill()
    assert chief.wait(DEADLINE) == 2, workers.errors(0).read_text()[-3000:]
    lines = workers.errors(0).read_text().splitlines()
    assert [line for line in lines if line.startswith("error: another of the 2 workers ended") and "--resume" in line]
    for one, row in zip(compared.losses["one"], workers.rows(), strict=False):
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


def test_two_processes_train_an_embedding_network(compared: Compared, workers: Workers) -> None:
    workers.case = "embedding"
    workers.start()
    workers.wait(lambda: len(workers.rows()) > 3)
    for one, row in zip(compared.losses["embedding"], workers.rows(), strict=False):
        assert one == pytest.approx({name: float(row[name]) for name in one}, rel=1e-5)
