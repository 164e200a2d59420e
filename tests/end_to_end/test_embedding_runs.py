"""Runs of embedding networks: stopped, changed, reproduced, and begun with another run's weights."""

import csv
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from hicmd_tf.commands import fit, reproduce
from hicmd_tf.errors import UserError
from hicmd_tf.runs.folder import RunFolder

assert tf  # imported before the first run, which `conftest` has compute without graphs, as its repetition
FIXTURES = Path(__file__).parents[1] / "fixtures"
STEPS = 3
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def train(run: Path, data: Path, *more: object, config: str = "smoke_embedding") -> RunFolder:
    given = ["--config", FIXTURES / f"{config}.yaml", "--data.directory", data, "--run", run, "--no-report"]
    fit.main([str(word) for word in (*given, "--training.checkpoint_every", 1, *more)])
    return RunFolder(run)


def arrays(run: RunFolder) -> Arrays:
    return run.checkpoint().arrays


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """An uninterrupted run."""
    return train(tmp_path_factory.mktemp("runs") / "whole", data, "--steps", STEPS)


def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(
    whole: RunFolder, data: Path, tmp_path: Path
) -> None:
    train(tmp_path / "part", data, "--steps", 1)
    run = train(tmp_path / "part", data, "--steps", STEPS, "--resume")
    assert run.losses.read_bytes() == whole.losses.read_bytes()
    one, other = arrays(run), arrays(whole)
    assert one.keys() == other.keys() and any("first" in name or "momentum" in name for name in one)
    for name, value in one.items():
        assert value.tobytes() == other[name].tobytes(), name


def test_it_goes_on_with_other_numbers_and_is_reproduced(
    whole: RunFolder, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunFolder(shutil.copytree(whole.path, tmp_path / "changed"))
    wanted = {"embedding.rate": 0.3, "embedding.head_factor": 2.0, "losses.triplet": 0.25, "embedding.drops": [1, 9]}
    changes = [word for key, value in wanted.items() for word in ("--change", f"{key}={value}")]
    train(run.path, data, "--steps", STEPS + 1, "--resume", *changes)
    told = {change.setting: (change.step, change.after) for change in run.changes()}
    assert told == {key: (STEPS, value) for key, value in wanted.items()}
    with run.losses.open() as file:
        row = [*csv.DictReader(file)][-1]
    assert float(row["feature_rate"]) == pytest.approx(0.3 * run.open().optimisers.drop_factor)
    total = run.open().losses.cross_entropy * float(row["cross_entropy"]) + 0.25 * float(row["triplet"])
    assert float(row["feature_total"]) == pytest.approx(total, rel=1e-5)
    with pytest.raises(UserError, match=r"embedding\.people can't change while a run trains"):
        train(run.path, data, "--steps", STEPS + 2, "--resume", "--change", "embedding.people=2")
    capsys.readouterr()
    reproduce.main([str(run.path)])
    assert capsys.readouterr().out.splitlines()[-1].startswith("reproduced to the bit")


def test_it_begins_with_the_weights_of_another_and_keeps_what_is_frozen(
    whole: RunFolder, data: Path, tmp_path: Path
) -> None:
    frozen = ["--initialise", whole.path, "--training.frozen", "fronts,trunk"]
    after, source = arrays(train(tmp_path / "next", data, "--steps", 1, *frozen)), arrays(whole)
    weights = [name for name in source if name.startswith("backbone/") and "moving_" not in name]
    assert len(weights) > 30 and all(np.array_equal(after[name], source[name]) for name in weights)
    assert not np.array_equal(after["head/classify/kernel"], source["head/classify/kernel"])
    told = json.loads((tmp_path / "next" / "initial.json").read_text())
    assert set(told["taken"]) == {"front", "trunk", "head"} and list(told["left"]) == ["head/classify/kernel"]


@pytest.mark.parametrize(("config", "method"), [("plumbing", "hicmd"), ("smoke_embedding", "embedding")])
def test_it_begins_with_no_weights_of_the_other_method(
    config: str, method: str, whole: RunFolder, smoke_run: Path, data: Path, tmp_path: Path
) -> None:
    source = whole.path if method == "hicmd" else smoke_run
    with pytest.raises(UserError, match=f"^method is {method}, but .* name a run of the same method$"):
        train(tmp_path / "run", data, "--steps", 1, "--initialise", source, config=config)
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_held_out_people_and_half_precision(data: Path, tmp_path: Path) -> None:
    half = ["--training.precision", "mixed_bfloat16"]
    run = train(tmp_path / "half", data, "--steps", 1, "--data.held_out", 2, *half)
    metrics = json.loads(run.metrics.read_text())
    assert metrics["split"] == "held_out" and metrics["identities"] == 2
    assert {value.dtype for name, value in arrays(run).items() if "iteration" not in name} == {np.dtype("float32")}
    with run.losses.open() as file:
        row = next(csv.DictReader(file))
    assert float(row["cross_entropy"]) == pytest.approx(math.log(4), rel=0.02)  # four people are left, none known yet
