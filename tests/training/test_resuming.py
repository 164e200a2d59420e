"""A run goes on with its own pictures, wherever they are, and with no others; what is refused changes nothing."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import drawn_trees as trees
import pytest

from hicmd_tf.config import Config, with_values
from hicmd_tf.data.datasets import load
from hicmd_tf.errors import UserError
from hicmd_tf.files import alone
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.training import run as module
from hicmd_tf.training.experiment import Experiment
from hicmd_tf.training.run import train


class TrainingBegins(Exception):  # noqa: N818 (no error)
    """Everything was accepted."""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Own pictures of six people to train and six to test."""
    return trees.own(tmp_path / "pictures", tuple(map(str, range(12))))


@pytest.fixture
def config(smoke_config: Config, pictures: Path, tmp_path: Path) -> Config:
    data = {"data.name": "folder", "data.source": str(pictures), "data.directory": str(tmp_path / "data")}
    return with_values(smoke_config, data)


@pytest.fixture
def run(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run that was begun with them; no more is trained than that."""

    def begin(*_: object) -> None:
        raise TrainingBegins

    monkeypatch.setattr(module, "_Run", begin)
    monkeypatch.setattr(module, "_prepared", lambda config: Experiment(load(config.data), None, None))
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(TrainingBegins):
        train(config, folder)
    return folder


def resumed(config: Config, run: RunFolder, source: Path | None = None) -> None:
    train(with_values(config, {"data.source": str(source)} if source else {}), run, resume=True)


def content(folder: Path) -> dict[Path, bytes]:
    """All files but the lock."""
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.name != "lock"}


def test_pictures_that_moved_are_taken(config: Config, run: RunFolder, pictures: Path, tmp_path: Path) -> None:
    moved = pictures.rename(tmp_path / "moved")
    with pytest.raises(TrainingBegins):
        resumed(config, run, moved)
    assert run.open().data.source == str(moved)


CHANGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda folder: trees.picture(folder / "train/2/visible/cam1_1.png", seed=12345), "train"),
    (lambda folder: (folder / "test/8/infrared/cam1_1.png").rename(folder / "test/8/infrared/cam1_7.png"), "test"),
    (lambda folder: (folder / "test/8").rename(folder / "test/99"), "test"),
]


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize(("change", "split"), CHANGES)
def test_other_pictures_are_refused_and_the_run_stays_as_it_is(
    change: Callable[[Path], object],
    split: str,
    moved: bool,
    config: Config,
    run: RunFolder,
    pictures: Path,
    tmp_path: Path,
) -> None:
    source = shutil.copytree(pictures, tmp_path / "moved") if moved else pictures
    change(source)
    before = content(run.path)
    with pytest.raises(UserError, match=rf"^the {split} pictures, their names or labels are not those that \S+ was ma"):
        resumed(config, run, source)
    assert before == content(run.path)


def test_a_run_that_does_not_say_its_pictures_goes_on(config: Config, run: RunFolder) -> None:
    run.identities.write_text('{"people": "folder", "identities": [1]}')
    with pytest.raises(TrainingBegins):
        resumed(config, run)


def test_several_workers_are_given_what_changed(
    config: Config, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, values = "losses.cross", {"losses.cross": 7.0}
    monkeypatch.setattr(module, "cluster", lambda: SimpleNamespace(workers=2))
    with pytest.raises(TrainingBegins):  # every worker's command says the change
        train(config, run, True, changes=values)
    with pytest.raises(UserError, match=f"{key} changed to 7.0 in the run: give --{key} 7.0 to the command of every"):
        train(config, run, True)
    with pytest.raises(TrainingBegins):
        train(with_values(config, values), run, True)


HOLDER = """
import sys, time
from pathlib import Path
from hicmd_tf.files import alone
with alone(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    time.sleep(100)
"""


def test_a_second_process_is_refused_until_the_first_has_ended_however(smoke_config: Config, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder.lock)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(UserError, match="in use by another process"):
        train(smoke_config, folder)
    assert [file.name for file in folder.path.iterdir()] == ["lock"]
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with alone(folder.lock, "busy"):
        folder.begin(smoke_config, resume=False)


def test_a_run_whose_checkpoints_are_all_damaged_is_left_as_it_was(
    smoke_run: Path, smoke_config: Config, tmp_path: Path
) -> None:
    run = shutil.copytree(smoke_run, tmp_path / "run")
    (file,) = (run / "checkpoints").iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    before = content(run)
    with pytest.raises(UserError, match="no other is whole"):
        train(smoke_config, RunFolder(run), resume=True)
    assert content(run) == before


def test_what_is_refused_begins_no_run(smoke_config: Config, tmp_path: Path) -> None:
    config = with_values(smoke_config, {"data.name": "folder", "data.source": str(tmp_path / "nowhere")})
    for _ in range(2):  # the second time without --resume, too
        with pytest.raises(UserError, match="nowhere is no folder"):
            train(config, RunFolder(tmp_path / "run"))
    assert not list(tmp_path.iterdir())
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not a run folder"):
        train(smoke_config, RunFolder(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
