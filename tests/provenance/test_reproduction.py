"""What can't be reproduced is refused before anything is trained. That a run comes out again: see test_fit.py."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawn_trees import picture

from hicmd_tf.commands import reproduce
from hicmd_tf.config import Config, dump, with_values
from hicmd_tf.data.datasets import load
from hicmd_tf.errors import UserError
from hicmd_tf.provenance.reproduction import read_original
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
    file = RunFolder(run).metrics
    file.write_text(json.dumps(change(json.loads(file.read_text()))))


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def refusal(*arguments: str) -> str:
    with pytest.raises(UserError) as caught:
        reproduce.main(arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_no_finished_training_is_refused(run: Path, smoke_run: Path, tmp_path: Path) -> None:
    assert "is not a run folder" in refusal(str(tmp_path / "nowhere"))
    assert "has no metrics.json" in refusal(str(smoke_run))
    original = RunFolder(run).metrics.read_text()
    for broken in ({}, [], 3, {"provenance": 3}, {"provenance": {"steps": {"end": 6}}}):
        edit(run, lambda _, broken=broken: broken)
        assert "does not say where its figures come from" in refusal(str(run))
    RunFolder(run).metrics.write_text(original)
    edit(run, lambda m: {**m, "provenance": {**m["provenance"], "steps": {"start": 0, "end": 3}}})
    assert "is not finished, 3 of 6 steps: go on with" in refusal(str(run))
    RunFolder(run).metrics.write_text(original)
    (run / "conversion.json").write_text('{"iteration": 6}')
    assert "was converted" in refusal(str(run))


def test_a_run_is_not_compared_with_itself_or_a_copy_of_itself(run: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run)
    shutil.copytree(run, tmp_path / "copy")
    for target in (run, tmp_path / "link", tmp_path / "copy"):
        assert "holds a run that is no reproduction" in refusal(str(run), "--run", str(target))


def test_a_repetition_of_another_run_is_not_gone_on_with(run: Path, smoke_config: Config, tmp_path: Path) -> None:
    RunFolder(tmp_path / "other").begin(with_values(smoke_config, {"seed": 5}), resume=False)
    assert "seed is 777, but" in refusal(str(run), "--run", str(tmp_path / "other"))


def test_several_workers_are_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(workers))
    assert "TF_CONFIG names 2 workers" in refusal(str(run))


def test_a_last_checkpoint_that_was_tampered_with_is_told(run: Path) -> None:
    flip(run / "checkpoints" / "step-000006.safetensors")
    with pytest.warns(UserWarning, match=r"step-000006\.safetensors: the checkpoint is damaged"):
        assert "figures of step 6, but its newest whole checkpoint is" in refusal(str(run))


@pytest.fixture
def pictures(smoke_run: Path, smoke_config: Config, tmp_path: Path) -> tuple[Path, Path]:
    """Own pictures, and a run folder as one that was made with them."""
    source = tmp_path / "pictures"
    for person in range(9):
        for modality in ("visible", "infrared"):
            for number in range(2):
                split = "train" if person < 6 else "test"
                seed = 100 * person + 10 * number + (modality == "visible")
                file = source / split / f"{person}" / modality / f"{number}.png"
                picture(file, seed, grey=modality == "infrared")
    data = {"data.name": "folder", "data.source": str(source), "data.directory": str(tmp_path / "data")}
    return source, finish(smoke_run, tmp_path / "run", with_values(smoke_config, data))


@pytest.mark.parametrize("split", ["train", "test"])
def test_other_pictures_are_told_before_anything_is_trained(split: str, pictures: tuple[Path, Path]) -> None:
    source, run = pictures
    file = next(source.glob(f"{split}/*/visible/0.png"))
    picture(file, seed=12345, size=(24, 12))
    assert f"the {split} pictures, their names or labels are not those" in refusal(str(run))
    assert not (run / "reproduction").exists()


def test_a_picture_under_another_name_of_a_person_is_another(pictures: tuple[Path, Path]) -> None:
    source, run = pictures
    (source / "test" / "8").rename(source / "test" / "9")
    assert "the test pictures" in refusal(str(run))


def test_pictures_that_moved_are_found_by_source(pictures: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    source, run = pictures
    moved = source.rename(source.with_name("moved"))
    assert str(source) in refusal(str(run))

    def begun(config: Config, *_: Any, **__: Any) -> None:
        raise UserError(f"training begins with {config.data.source}")

    monkeypatch.setattr("hicmd_tf.training.run.train", begun)
    assert refusal(str(run), "--source", str(moved)) == f"training begins with {moved}"


def test_what_is_not_as_it_was_is_warned_of_before_training(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def begun(*_: Any, **__: Any) -> None:
        raise UserError("training begins")

    monkeypatch.setattr("hicmd_tf.training.run.train", begun)
    assert refusal(str(run)) == "training begins"  # and no warning, which would be an error here

    def as_elsewhere(metrics: Any) -> Any:
        metrics["provenance"]["origins"][0]["packages"]["keras"] = "3.0"
        return metrics

    edit(run, as_elsewhere)
    with pytest.warns(UserWarning, match=r"packages: keras was 3\.0, here it is"):
        assert refusal(str(run)) == "training begins"


def test_mistakes_come_before_tensorflow_s_import(run: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from hicmd_tf.errors import UserError
from hicmd_tf.provenance.reproduction import read_original, repetition
original = read_original(Path({str(run)!r}))
try:
    repetition(original, Path({str(run)!r}), None, None)
except UserError:
    print("tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert read_original(run).config.seed == 777
