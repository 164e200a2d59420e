"""What can't be reproduced is refused before anything is trained. That a run comes out again: see end_to_end."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import drawn_trees as trees
import pytest

from hicmd_tf.commands import reproduce
from hicmd_tf.config import Config, dump, with_values
from hicmd_tf.data.datasets import load
from hicmd_tf.errors import UserError
from hicmd_tf.runs.checkpoints import write
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.origin import provenance, with_origin


def finish(smoke_run: Path, target: Path, config: Config) -> Path:
    """A run folder as one of that configuration looks at its end, with initial weights in the place of trained ones."""
    shutil.copytree(smoke_run, target)
    folder, steps = RunFolder(target), config.training.steps
    folder.config.write_text(dump(config))
    write(folder.checkpoints, steps, folder.checkpoint().arrays, notes={})
    found = provenance(config, load(config.data), with_origin([], config), 0, steps)
    folder.metrics.write_text(json.dumps({"steps": steps, "provenance": found}))
    return target


@pytest.fixture
def run(smoke_run: Path, smoke_config: Config, tmp_path: Path) -> Path:
    return finish(smoke_run, tmp_path / "run", smoke_config)


def edit(run: Path, change: Callable[[Any], Any]) -> None:
    """Changes the provenance of a run."""
    file = RunFolder(run).metrics
    metrics = json.loads(file.read_text())
    file.write_text(json.dumps({**metrics, "provenance": change(metrics["provenance"])}))


def refusal(*arguments: str) -> str:
    with pytest.raises(UserError) as caught:
        reproduce.main(arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


DAMAGE: list[tuple[Callable[[Path], object], str]] = [
    (lambda run: shutil.rmtree(run), "is not a run folder"),
    (lambda run: (run / "metrics.json").unlink(), "has no metrics.json"),
    (lambda run: edit(run, lambda found: 3), "does not say where its figures come from"),
    (lambda run: edit(run, lambda found: {"steps": found["steps"]}), "does not say where its figures come from"),
    (lambda run: edit(run, lambda found: {**found, "steps": {"end": 3}}), "is not finished, 3 of 6 steps: go on with"),
    (lambda run: (run / "conversion.json").write_text('{"iteration": 6}'), "was converted"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGE)
def test_what_is_no_finished_training_is_refused(damage: Callable[[Path], object], said: str, run: Path) -> None:
    damage(run)
    assert said in refusal(str(run))


def test_a_run_is_compared_with_its_repetition_only(run: Path, smoke_config: Config, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run)
    shutil.copytree(run, tmp_path / "copy")
    for target in (run, tmp_path / "link", tmp_path / "copy"):
        assert "holds a run that is no reproduction" in refusal(str(run), "--run", str(target))
    RunFolder(tmp_path / "other").begin(with_values(smoke_config, {"seed": 5}), resume=False)
    assert "seed is 777, but" in refusal(str(run), "--run", str(tmp_path / "other"))


def test_several_workers_are_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(workers))
    assert "TF_CONFIG names 2 workers" in refusal(str(run))


def test_a_last_checkpoint_that_was_tampered_with_is_told(run: Path) -> None:
    file = run / "checkpoints" / "step-000006.safetensors"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.warns(UserWarning, match=r"step-000006\.safetensors: the checkpoint is damaged"):
        assert "figures of step 6, but its newest whole checkpoint is" in refusal(str(run))


@pytest.fixture
def begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is trained."""

    def begun(config: Config, *_: Any, **__: Any) -> None:
        raise UserError(f"training begins with {config.data.source}")

    monkeypatch.setattr("hicmd_tf.training.run.train", begun)


@pytest.mark.usefixtures("begins")
def test_other_pictures_are_told_and_those_that_moved_are_found_by_source(
    smoke_run: Path, smoke_config: Config, tmp_path: Path
) -> None:
    source = trees.own(tmp_path / "pictures", tuple(map(str, range(12))))
    data = {"data.name": "folder", "data.source": str(source), "data.directory": str(tmp_path / "data")}
    run = finish(smoke_run, tmp_path / "run", with_values(smoke_config, data))
    moved = source.rename(source.with_name("moved"))
    assert str(source) in refusal(str(run))
    assert refusal(str(run), "--source", str(moved)) == f"training begins with {moved}"
    trees.picture(moved / "train/2/visible/cam1_1.png", seed=12345, size=(24, 12))
    said = "the train pictures, their names or labels are not those"
    assert said in refusal(str(run), "--source", str(moved))
    assert not (run / "reproduction").exists()


@pytest.mark.usefixtures("begins")
def test_what_is_not_as_it_was_is_warned_of_before_training(run: Path) -> None:
    assert "training begins" in refusal(str(run))  # and no warning, which would be an error here

    def as_elsewhere(found: Any) -> Any:
        found["origins"][0]["packages"]["keras"] = "3.0"
        return found

    edit(run, as_elsewhere)
    with pytest.warns(UserWarning, match=r"packages\.keras: 3\.0 was, "):
        assert "training begins" in refusal(str(run))


def test_mistakes_come_before_tensorflow_s_import(run: Path) -> None:
    code = f"""
import sys
from hicmd_tf.commands import reproduce
from hicmd_tf.errors import UserError
try:
    reproduce.main([{str(run)!r}, "--run", {str(run)!r}])
except UserError:
    sys.exit("tensorflow" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
