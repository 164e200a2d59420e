"""The same on Ray: it takes seconds to start, so these are of make test-slow."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mean_colours
import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from mean_colours import Light, Means
from test_extraction import run

from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.stored import read_descriptors

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'hicmd-tf[batch]'")

from hicmd_tf.extraction import on_ray  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]


@pytest.fixture
def light() -> Iterator[Light]:
    """A model that other processes take as it is, for they don't have the tests' modules."""
    ray.cloudpickle.register_pickle_by_value(mean_colours)
    yield Light("run", "")
    ray.cloudpickle.unregister_pickle_by_value(mean_colours)


def same(one: Path, other: Path) -> None:
    """Two extractions of the same pictures."""
    first, second = read_descriptors(one), read_descriptors(other)
    assert first.samples.names == second.samples.names and first.failed == second.failed
    np.testing.assert_allclose(first.descriptors, second.descriptors, atol=1e-5)


def test_either_engine_finds_the_same_and_goes_on_where_the_other_stopped(
    pictures: Path, means: Means, light: Light, tmp_path: Path
) -> None:
    run(means, pictures, str(tmp_path / "one"))
    run(light, pictures, str(tmp_path / "ray"), ray=on_ray.Ray(workers=2))
    same(tmp_path / "one", tmp_path / "ray")
    for part in ("part-000001.parquet", "part-000003.parquet"):
        (tmp_path / "one" / part).unlink()
    kept = (tmp_path / "one" / "part-000000.parquet").stat().st_mtime_ns
    done = run(light, pictures, str(tmp_path / "one"), ray=on_ray.Ray(workers=1))
    assert done.fresh == 7 and (tmp_path / "one" / "part-000000.parquet").stat().st_mtime_ns == kept
    same(tmp_path / "one", tmp_path / "ray")


def test_what_is_wrong_elsewhere_is_one_line_here(pictures: Path, light: Light, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no model in nowhere"):
        run(light._replace(folder="nowhere"), pictures, str(tmp_path / "d"), ray=on_ray.Ray(workers=1))
    with pytest.raises(UserError, match=r"nobody answers at 127\.0\.0\.1:1 .*: ray start --head begins a cluster"):
        run(light, pictures, str(tmp_path / "d"), ray=on_ray.Ray(address="127.0.0.1:1"))
    with pytest.raises(UserError, match="--address is there: expected HOST:PORT"):
        run(light, pictures, str(tmp_path / "d"), ray=on_ray.Ray(address="there"))
    with pytest.raises(UserError, match="no machine of Ray's has a GPU"):
        run(light._replace(device="cuda"), pictures, str(tmp_path / "d"), ray=on_ray.Ray(workers=1))
    assert not ray.is_initialized()


def test_workers_and_actors_that_are_killed_lose_and_double_nothing(
    pictures: Path, means: Means, light: Light, tmp_path: Path
) -> None:
    killed, ended = list[str](), threading.Event()

    def kill() -> None:
        while not ended.is_set() and len({*killed}) < 2:
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error, IndexError):  # it may just have ended
                    title = process.cmdline()[0]
                    kind = next((k for k in ("ray::MapWorker", "ray::MapBatches(") if title.startswith(k)), None)
                    if kind and kind not in killed:
                        process.kill()
                        killed.append(kind)
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        apart = light._replace(folder="slow", threads=2)  # with one, actors decode too
        run(apart, pictures, str(tmp_path / "ray"), size=2, ray=on_ray.Ray(workers=1))
    finally:
        ended.set()
        killer.join()
    assert len({*killed}) == 2
    run(means, pictures, str(tmp_path / "one"), size=2)
    same(tmp_path / "one", tmp_path / "ray")
    paths = pq.read_table(tmp_path / "ray")["path"].to_pylist()
    assert len(paths) == len({*paths}) == 15


COMMAND = """
import os
import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
import mean_colours
import ray
from mean_colours import Light
from test_extraction import run
from hicmd_tf.extraction import on_ray

ray.cloudpickle.register_pickle_by_value(mean_colours)
folder = Path(sys.argv[1])
wanted = on_ray.Ray(os.environ.get("AT", ""), int(os.environ.get("WORKERS", 1)))
run(Light("run", "slow"), folder, str(folder.parent / "ray"), size=2, ray=wanted)
"""


def command(pictures: Path, **environment: str) -> dict[str, Any]:
    """How `subprocess` begins an extraction of slow descriptors on Ray, in parts of two."""
    tests = Path(__file__).parents[1]
    places = [str(one) for one in (tests / "extraction", tests / "data", tests.parent)]
    return {
        "args": [sys.executable, "-c", COMMAND, str(pictures), *places],
        "env": {**os.environ, "PYTHONPATH": places[-1], **environment},
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }


def test_a_command_that_is_killed_takes_ray_with_it_and_goes_on(pictures: Path, means: Means, tmp_path: Path) -> None:
    run(means, pictures, str(tmp_path / "one"), size=2)
    with subprocess.Popen(**command(pictures)) as process:
        below = list[psutil.Process]()
        while process.poll() is None and not list((tmp_path / "ray").glob("part-*")):
            below = psutil.Process(process.pid).children(recursive=True) or below
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(below, timeout=300)  # two agents of Ray's look for their parent for a minute
    assert not alive
    subprocess.run(**command(pictures), check=True)
    same(tmp_path / "one", tmp_path / "ray")


@contextlib.contextmanager
def node(*words: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A machine of a cluster, as `ray start` begins it; all of it is killed at the end, where it isn't before."""
    start = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--block", *words]
    few = ["--num-cpus", "2", "--object-store-memory", str(1 << 28)]
    said: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([*start, *few], env={**os.environ, **environment}, **said) as process:
        try:
            assert process.stdout is not None
            assert any("Ray runtime started" in line for line in process.stdout)
            yield process
        finally:
            kill_all(process)


def kill_all(process: "subprocess.Popen[bytes]") -> None:
    """A process and all below it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for one in (*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


def test_a_cluster_of_two_machines_describes_and_loses_nothing_with_one_of_them(
    pictures: Path, means: Means, tmp_path: Path
) -> None:
    run(means, pictures, str(tmp_path / "one"), size=2)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16), "RAY_USAGE_STATS_ENABLED": "0"}
    address = f"127.0.0.1:{port}"
    with (
        node("--head", "--port", port, "--include-dashboard", "false", **secret),
        node("--address", address, **secret) as second,
        subprocess.Popen(**command(pictures, AT=address, WORKERS="3", **secret)) as process,
    ):
        while not any(map(describes, psutil.Process(second.pid).children(recursive=True))):
            assert process.poll() is None
            time.sleep(0.05)
        kill_all(second)
        assert process.wait(timeout=300) == 0
    same(tmp_path / "one", tmp_path / "ray")


def describes(process: psutil.Process) -> bool:
    """Whether it is an actor with a model."""
    try:
        return process.cmdline()[0].startswith("ray::MapWorker")
    except (psutil.Error, IndexError):  # it may just have ended
        return False
