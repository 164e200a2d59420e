"""Data sets in a folder, as the training sees them: where they are, whole bytes."""

import dataclasses
from pathlib import Path

import drawn_trees as trees
import numpy as np
import pytest
from odd_files import drawn, encoded

from hicmd_tf.config.schema import DataConfig
from hicmd_tf.data import samples as module
from hicmd_tf.data.batches import evaluation_batches
from hicmd_tf.data.datasets import load
from hicmd_tf.errors import UserError
from hicmd_tf.pictures.bounds import content


@pytest.fixture
def at(smoke_config, tmp_path: Path):
    """The data settings of a tree."""

    def settings(name: str, **given) -> DataConfig:
        trees.TREES[name](tmp_path / name)
        data = smoke_config.data
        return dataclasses.replace(data, name=name, source=str(tmp_path / name), directory=str(tmp_path), **given)

    return settings


@pytest.mark.parametrize("name", list(trees.TREES))
def test_pictures_are_what_the_folder_holds(name: str, at) -> None:
    data = at(name)
    splits = load(data)
    assert not set(splits.train.identities) & set(splits.test.identities)
    for samples in (splits.train, splits.test):
        assert len(samples) and list(samples.names) == sorted(samples.names)
        assert set(samples.infrared.tolist()) == {False, True}
        for row in (0, len(samples) - 1):
            assert samples.encoded[row] == (Path(data.source) / samples.names[row]).read_bytes()
    again = load(data)
    assert again.test.names == splits.test.names and list(again.test.encoded) == list(splits.test.encoded)


def test_a_changed_folder_is_read_as_it_is(at, tmp_path: Path) -> None:
    data = at("folder")
    before = load(data)
    trees.picture(tmp_path / "folder" / "test" / "11" / "visible" / "new.png", 99)
    assert len(load(data).test) == len(before.test) + 1


@pytest.mark.parametrize("name", list(trees.TREES))
def test_nothing_is_written_and_pictures_are_read_when_asked_for(name: str, at, tmp_path: Path, monkeypatch) -> None:
    data = dataclasses.replace(at(name), directory="/nowhere/at/all")
    read: list[Path] = []
    monkeypatch.setattr(module, "content", lambda file: read.append(file) or content(file))
    splits = load(data)
    splits.unchecked["test"].of("visible").select(np.array([1, 0]))
    assert not read
    assert len(splits.test) == len(read)  # the check, once each
    splits.test.encoded[1:].select([0])[0]
    assert read[-1] == tmp_path / name / splits.test.names[1] and len(read) == len(splits.test) + 1
    assert not Path("/nowhere").exists()


def test_a_picture_written_again_or_gone_under_a_run_is_one_line(at, tmp_path: Path) -> None:
    test = load(at("folder")).test
    file = tmp_path / "folder" / test.names[0]
    old = file.read_bytes()
    file.write_bytes(old[:-1] + bytes([old[-1] ^ 1]))  # of the same length
    with pytest.raises(UserError, match=rf"{test.names[0]} was written again while it was in use: give the same"):
        list(evaluation_batches(test, 8, 4, 4))
    file.unlink()
    with pytest.raises(UserError, match=rf"{test.names[0]} can't be read \(No such file or directory\)"):
        list(evaluation_batches(test, 8, 4, 4))


@pytest.mark.parametrize("suffix", [".webp", ".tif", ".TIFF", ".jpg"])
def test_a_file_is_what_it_holds_whatever_it_is_called(suffix: str, at, tmp_path: Path) -> None:
    data = at("folder")
    folder = tmp_path / "folder" / "test" / "11" / "visible"
    for form in ("WEBP", "TIFF", "PNG", "JPEG", "BMP"):
        (folder / f"{form}{suffix}").write_bytes(encoded(drawn((12, 20)), form))
    assert sum(name.endswith(suffix) for name in load(data).test.names) == 5


def test_a_picture_that_cannot_be_read_is_named_and_not_the_folder_of_prepared_data(at, monkeypatch) -> None:
    data = at("regdb")
    opened = Path.open

    def failing(file: Path, *arguments, **named):
        if file.name == "male_back_v_00001_3.bmp":
            raise PermissionError(13, "Permission denied", str(file))
        return opened(file, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", failing)
        with pytest.raises(UserError, match=r"Visible/3/male_back_v_00001_3.bmp can't be read \(Permission denied\)"):
            len(load(data).train)
    assert len(load(data).test) == 12


def test_held_out_people_come_out_of_the_training_ones_the_same_every_time(at) -> None:
    data = at("sysu_mm01", held_out=1)
    splits = load(data)
    assert len(set(splits.held_out.identities)) == 1 and len(set(splits.train.identities)) == 3
    assert set(load(data).held_out.identities) == set(splits.held_out.identities)
    with pytest.raises(UserError, match="held_out is 4: of 4 training people it can be 0 to 3"):
        load(dataclasses.replace(data, held_out=4))


def test_sysus_validation_people_train_when_asked_to(at) -> None:
    data = at("sysu_mm01")
    assert set(load(data).train.identities) == {1, 2, 3, 4}
    both = load(dataclasses.replace(data, validation_trains=True)).train
    assert set(both.identities) == {1, 2, 3, 4, 5} and list(both.names) == sorted(both.names)
