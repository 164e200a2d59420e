"""A run goes on with its own pictures, wherever they are by now, and with no others."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from drawn_trees import picture

from hicmd_tf.config import Config, with_values
from hicmd_tf.data.datasets import load
from hicmd_tf.errors import UserError
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.training import run as module
from hicmd_tf.training.experiment import Experiment


class TrainingBegins(Exception):  # noqa: N818 (no error)
    """Everything was accepted."""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Own pictures of six people to train and three to test."""
    source = tmp_path / "pictures"
    for person in range(9):
        for modality in ("visible", "infrared"):
            for number in range(2):
                split = "train" if person < 6 else "test"
                seed = 100 * person + 10 * number + (modality == "visible")
                file = source / split / f"{person}" / modality / f"{number}.png"
                picture(file, seed, grey=modality == "infrared")
    return source


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
        module.train(config, folder)
    return folder


def resumed(config: Config, run: RunFolder, **values: str) -> None:
    """Goes on with other values of data settings."""
    module.train(with_values(config, {f"data.{name}": value for name, value in values.items()}), run, resume=True)


def test_pictures_that_moved_are_taken(config: Config, run: RunFolder, pictures: Path, tmp_path: Path) -> None:
    moved = pictures.rename(tmp_path / "moved")
    with pytest.raises(TrainingBegins):
        resumed(config, run, source=str(moved), directory=str(tmp_path / "data2"))
    assert run.open().data.source == str(moved)


def other_pixels(pictures: Path) -> None:
    picture(pictures / "train" / "2" / "visible" / "0.png", seed=12345)


def other_name(pictures: Path) -> None:
    (pictures / "test" / "8" / "infrared" / "0.png").rename(pictures / "test" / "8" / "infrared" / "7.png")


def other_label(pictures: Path) -> None:
    (pictures / "test" / "8").rename(pictures / "test" / "9")


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize(("change", "split"), [(other_pixels, "train"), (other_name, "test"), (other_label, "test")])
def test_other_pictures_are_refused_and_the_run_stays_as_it_is(
    change, split: str, moved: bool, config: Config, run: RunFolder, pictures: Path, tmp_path: Path
) -> None:
    source = shutil.copytree(pictures, tmp_path / "moved") if moved else pictures
    change(source)
    before = {file.name: file.read_bytes() for file in run.path.iterdir() if file.is_file()}
    with pytest.raises(
        UserError, match=rf"^the {split} pictures, their names or labels are not those that \S+ was made"
    ):
        resumed(config, run, source=str(source))
    assert before == {file.name: file.read_bytes() for file in run.path.iterdir() if file.is_file()}


@pytest.mark.parametrize("damage", ["", "[]", '{"people": "folder", "identities": [1]}'])
def test_where_a_run_does_not_say_its_pictures_a_warning_does(
    damage: str, config: Config, run: RunFolder, pictures: Path, tmp_path: Path
) -> None:
    run.identities.write_text(damage)
    with pytest.raises(TrainingBegins):  # in the same place they are taken for the same
        resumed(config, run)
    run.identities.write_text(damage)
    with (
        pytest.warns(UserWarning, match="does not say which pictures it was begun with"),
        pytest.raises(TrainingBegins),
    ):
        resumed(config, run, source=str(pictures.rename(tmp_path / "moved")))


def test_an_earlier_version_said_it_in_its_metrics(config: Config, run: RunFolder, pictures: Path) -> None:
    hashes = json.loads(run.identities.read_text())
    run.metrics.write_text(json.dumps({"provenance": hashes}))
    for said in ({"people": "folder", "identities": [1]}, None):
        run.identities.write_text(json.dumps(said)) if said else run.identities.unlink()
        other = pictures.with_name("other")
        shutil.copytree(pictures, other, dirs_exist_ok=True)
        other_pixels(other)
        with pytest.raises(UserError, match="the train pictures"):
            resumed(config, run, source=str(other))


def test_other_people_drawn_are_refused(smoke_config: Config, run: RunFolder, tmp_path: Path) -> None:
    """Drawn pictures are found wherever they are drawn."""
    folder = RunFolder(tmp_path / "drawn")
    with pytest.raises(TrainingBegins):
        module.train(smoke_config, folder)
    with pytest.raises(TrainingBegins):
        resumed(smoke_config, folder, directory=str(tmp_path / "elsewhere"))
    hashes = json.loads(folder.identities.read_text())["data_sha256"]
    folder.identities.write_text(json.dumps({"data_sha256": {**hashes, "test": "f"}}))
    with pytest.raises(UserError, match=r"the test pictures.*\(sha256 f, now "):
        resumed(smoke_config, folder)


def test_several_workers_are_given_what_changed(
    config: Config, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, values = "losses.cross", {"losses.cross": 7.0}
    monkeypatch.setattr(module, "cluster", lambda: SimpleNamespace(workers=2))
    with pytest.raises(TrainingBegins):  # every worker's command says the change
        module.train(config, run, True, changes=values)
    with pytest.raises(UserError, match=f"{key} changed to 7.0 in the run: give --{key} 7.0 to the command of every"):
        module.train(config, run, True)
    with pytest.raises(TrainingBegins):
        module.train(with_values(config, values), run, True)
