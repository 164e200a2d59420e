"""Whole runs that JAX trains: resumed to the bit, by the other engine too; stopped by what is not finite; reproduced;
and each command that trains. Each in a process of its own, for a process has one engine."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmd_tf.errors import EXIT_CODE, INTERRUPTED
from hicmd_tf.runs.checkpoints import read

pytest.importorskip("jax", reason="JAX is not installed: pip install 'hicmd-tf[jax]'")
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("jax runs")]

TESTS = Path(__file__).parents[2]
PLUMBING = TESTS / "fixtures" / "plumbing.yaml"
DEADLINE = 1200  # seconds, only so that a hang ends
STEPS = 4
SETTINGS = {
    "training.checkpoint_every": 1,
    "training.picture_every": 2,
    "optimisers.drop_every": 3,
    # Fewer layers to compile.
    "networks.prototype_encoder.residual_blocks": 0,
    "networks.decoder.residual_blocks": 1,
    "networks.discriminator.residual_blocks": 0,
}


class Place:
    """A folder with data, runs and compiled programs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        quickly = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
        self.environment = {
            **{key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"},
            "PYTHONPATH": str(TESTS.parent),
            "JAX_PLATFORMS": "cpu",
            "JAX_COMPILATION_CACHE_DIR": str(folder / "cache"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "XLA_FLAGS": quickly,
        }

    def command(self, name: str, *words: object) -> list[str]:
        return [sys.executable, "-m", "hicmd_tf", name, *map(str, words)]

    def training(self, engine: str = "jax", **settings: object) -> list[object]:
        """Options of whatever trains."""
        given = {**SETTINGS, "data.directory": self.data, "training.engine": engine, **settings}
        return ["--config", PLUMBING, *(word for key, value in given.items() for word in (f"--{key}", value))]

    def fit(self, run: Path, *more: object, engine: str = "jax", **settings: object) -> list[str]:
        words = [*self.training(engine, **settings), "--run", run, "--no-report"]
        return self.command("fit", *words, *more)

    def say(self, command: list[str], code: int = 0, **environment: str) -> tuple[str, list[str]]:
        """What a command prints, and the lines that it says beside."""
        done = subprocess.run(
            command,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
            cwd=self.folder,
        )
        assert done.returncode == code, done.stderr[-3000:]
        assert "Traceback" not in done.stderr
        return done.stdout, done.stderr.replace("\r", "\n").splitlines()

    def stopped(self, run: Path, step: int, number: signal.Signals, command: list[str]) -> tuple[int, str]:
        """A command that is sent a signal once there is a checkpoint of a step; its exit code and what it said."""
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=self.environment
        ) as process:
            limit = time.monotonic() + DEADLINE
            while not (run / "checkpoints" / f"step-{step:06d}.safetensors").exists():
                assert process.poll() is None, "the run ended before it was to be stopped"
                assert time.monotonic() < limit, "the run never came to its checkpoint"
                time.sleep(0.02)
            process.send_signal(number)
            _, said = process.communicate(timeout=DEADLINE)
        return process.returncode, said


def metrics_of(run: Path) -> dict[str, Any]:
    return json.loads((run / "metrics.json").read_text())


def arrays_of(run: Path, step: int) -> dict[str, bytes]:
    found = read(run / "checkpoints" / f"step-{step:06d}.safetensors").arrays
    return {name: np.asarray(array).tobytes() for name, array in found.items()}


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "losses.csv").open() as file:
        return list(csv.DictReader(file))


def warnings_in(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("warning: ")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("jax"))


@pytest.fixture(scope="module")
def whole(place: Place) -> Path:
    """An uninterrupted run."""
    run = place.folder / "whole"
    _, lines = place.say(place.fit(run, "--steps", STEPS))
    assert [line for line in lines if line.startswith("training on the CPU") and line.endswith("(JAX)")]
    assert warnings_in(lines) == []
    return run


def test_a_run_is_as_any_other_and_says_what_computed(whole: Path) -> None:
    (origin,) = metrics_of(whole)["provenance"]["origins"]
    assert origin["packages"]["engine"] == "jax" and {"jax", "jaxlib"} < origin["packages"].keys()
    assert [int(row["step"]) for row in rows_of(whole)] == [*range(1, STEPS + 1)]
    assert (whole / "pictures" / "final.png").is_file() and (whole / "untrained.json").is_file()
    with (whole / "evaluations.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [2, STEPS]


def test_killed_and_interrupted_it_goes_on_to_the_same_bits(place: Place, whole: Path) -> None:
    run = place.folder / "killed"
    fit = place.fit(run, "--steps", STEPS)
    assert place.stopped(run, 1, signal.SIGKILL, fit)[0] == -signal.SIGKILL
    code, said = place.stopped(run, 2, signal.SIGINT, [*fit, "--resume"])
    assert code == INTERRUPTED and "go on with the same command" in said and "Traceback" not in said
    place.say([*fit, "--resume"])
    assert (run / "losses.csv").read_bytes() == (whole / "losses.csv").read_bytes()
    assert (run / "evaluations.csv").read_bytes() == (whole / "evaluations.csv").read_bytes()
    assert arrays_of(run, STEPS) == arrays_of(whole, STEPS)


def test_it_is_reproduced_to_the_bit(place: Place, whole: Path) -> None:
    printed, _ = place.say(place.command("reproduce", whole, "--run", place.folder / "again"))
    assert printed.splitlines()[-1].startswith("reproduced to the bit")


def test_the_other_engine_goes_on_and_says_so_once(place: Place, whole: Path) -> None:
    run = shutil.copytree(whole, place.folder / "both")
    for number, (engine, before) in enumerate([("tensorflow", "jax"), ("jax", "tensorflow")], 1):
        fit = place.fit(run, "--steps", STEPS + number, "--resume", engine=engine)
        warned = warnings_in(place.say(fit)[1])
        assert len([line for line in warned if f"trained with {before} so far: {engine} goes on" in line]) == 1, warned
    rows, before = rows_of(run), rows_of(whole)
    assert rows[:STEPS] == before and [int(row["step"]) for row in rows] == [*range(1, STEPS + 3)]
    origins = metrics_of(run)["provenance"]["origins"]
    assert [one["packages"]["engine"] for one in origins] == ["jax", "tensorflow"]
    # The same step by the other engine: from the same state, on the same batch.
    other = place.folder / "other"
    place.say(place.fit(other, "--steps", STEPS + 1))
    for name, value in rows_of(other)[-1].items():
        assert float(rows[STEPS][name]) == pytest.approx(float(value), rel=1e-3, abs=1e-4), name


def test_a_step_that_fails_is_kept_and_replayed_by_tensorflow(place: Place) -> None:
    run = place.folder / "failing"
    settings = {"optimisers.generator_rate": "1e12", "training.checkpoint_every": 9}
    _, lines = place.say(place.fit(run, "--steps", 9, **settings), EXIT_CODE)
    (said,) = [line for line in lines if line.startswith("error: ")]
    failure = json.loads((run / "failure" / "failure.json").read_text())
    step = failure["step"]
    assert said.startswith(f"error: step {step}: ") and "hicmd replay" in said and step > 1
    assert [int(row["step"]) for row in rows_of(run)] == [*range(1, step)]
    (kept,) = (run / "failure").glob("step-*")
    assert int(kept.stem.split("-")[1]) == step - 1
    assert all(np.isfinite(array).all() for array in read(kept).arrays.values())
    printed, _ = place.say(place.command("replay", "--run", run))
    assert printed.startswith(f"step {step} and its ") and "first non-finite result: " in printed
    assert "fault of the machine" not in printed and "the run was trained with jax; TensorFlow" in printed
    again, _ = place.say(place.command("replay", "--run", run), KERAS_BACKEND="jax")
    assert "first non-finite result: " in again  # TensorFlow computes, whatever the environment says
    change = ["--steps", 9, "--resume", "--change", "optimisers.generator_rate=1e-4"]
    place.say(place.fit(run, *change, **settings))
    assert rows_of(run)[0]["generator_rate"] == "0.0001" and len(rows_of(run)) == 9


def test_pictures_of_data_sets_that_are_too_large_to_keep_give_the_same(place: Place, whole: Path) -> None:
    run = place.folder / "large"
    patched = "from hicmd_tf.data import batches; batches.MEMORY_LIMIT = 0; from hicmd_tf.commands import console"
    fit = place.fit(run, "--steps", 2)
    place.say([fit[0], "-c", f"{patched}; console('fit')", *fit[4:]])
    assert rows_of(run) == rows_of(whole)[:2]


def test_a_search_has_its_trials_trained(place: Place) -> None:
    few = ["--data.held_out", 2, "--data.synthetic.identities", 16, "--steps", 2, "--intervals", 1, "--max-trials", 2]
    place.say(place.command("tune", *place.training(), *few, "--out", place.folder / "search"))
    for number in range(2):
        run = place.folder / "search" / "runs" / f"trial_{number}"
        assert metrics_of(run)["split"] == "held_out" and len(rows_of(run)) == 2


@pytest.mark.parametrize("settings", [{"training.precision": "mixed_bfloat16"}, {"training.memory": "low"}])
def test_other_ways_to_compute_train(settings: dict[str, object], place: Place, whole: Path) -> None:
    (value,) = settings.values()
    run = place.folder / str(value)
    _, lines = place.say(place.fit(run, "--steps", 2, **settings))
    assert ("slowly on a CPU" in "".join(lines)) == (value == "mixed_bfloat16")
    tolerance = 0.2 if value == "mixed_bfloat16" else 1e-3  # so small networks round coarsely
    for name in ("same", "cross", "cycle", "discriminator_total", "cross_entropy", "generation_total"):
        assert float(rows_of(run)[0][name]) == pytest.approx(float(rows_of(whole)[0][name]), rel=tolerance), name


def test_every_trial_of_a_data_set_is_trained(place: Place) -> None:
    fit = ["--run", place.folder / "trials", "--trials", "1-2", "--steps", 1, "--no-report"]
    place.say(place.command("fit", *place.training(), *fit))
    assert all(metrics_of(place.folder / "trials" / f"trial_{number}")["steps"] == 1 for number in (1, 2))


def test_an_embedding_network_goes_on_to_the_same_bits(place: Place) -> None:
    """With one modality's own stem, and its rate still rising."""
    given = ["--config", TESTS / "fixtures" / "smoke_embedding.yaml", "--data.directory", place.data]
    given += ["--engine", "jax", "--embedding.stem", "two", "--training.checkpoint_every", 1, "--no-report"]
    whole, parts = (place.folder / f"embedding_{name}" for name in ("whole", "parts"))
    place.say(place.command("fit", *given, "--run", whole, "--steps", 3))
    place.say(place.command("fit", *given, "--run", parts, "--steps", 1))
    place.say(place.command("fit", *given, "--run", parts, "--steps", 3, "--resume"))
    assert (parts / "losses.csv").read_bytes() == (whole / "losses.csv").read_bytes()
    assert arrays_of(parts, 3) == arrays_of(whole, 3)


OPENED = """
import sys, numpy as np, hicmd_tf
model = hicmd_tf.load(sys.argv[1])
random = np.random.default_rng(0)
visible, infrared = random.integers(0, 256, (2, 5, model.height, model.width, 3), np.uint8)
a, b = model.encode(visible, "visible"), model.encode(infrared, "infrared")
made, described = model.swap(a, b, "illumination"), model.embed(visible, "visible")
np.savez(sys.argv[2], *a, made, described, *model.dissect(infrared, "infrared").values())
"""


def test_a_run_is_opened_alike_with_either_engine(smoke_run: Path, tmp_path: Path) -> None:
    found = []
    for engine in ("tensorflow", "jax"):
        environment = {**os.environ, "PYTHONPATH": str(TESTS.parent), "KERAS_BACKEND": engine, "JAX_PLATFORMS": "cpu"}
        file = tmp_path / f"{engine}.npz"
        subprocess.run([sys.executable, "-c", OPENED, smoke_run, file], env=environment, check=True)
        with np.load(file) as stored:
            found.append(dict(stored))
    assert found[0].keys() == found[1].keys() and len(found[0]) == 8
    for name, value in found[0].items():
        assert value.shape == found[1][name].shape and value.std() > 0
        np.testing.assert_allclose(found[1][name], value, rtol=1e-3, atol=1e-4)
