"""Data sets in a folder, as the training sees them: where they are, whole bytes."""

import dataclasses
from pathlib import Path

import drawn_trees as trees
import pytest

from hicmd_tf.config.schema import DataConfig
from hicmd_tf.data import samples as module
from hicmd_tf.data.batches import evaluation_batches
from hicmd_tf.data.datasets import load
from hicmd_tf.errors import UserError
from hicmd_tf.pictures.bounds import content


@pytest.fixture
def at(smoke_config, tmp_path: Path):
    """The data settings of a tree; nothing is to be written."""

    def settings(name: str, **given) -> DataConfig:
        trees.TREES[name](tmp_path / name)
        data = smoke_config.data
        return dataclasses.replace(data, name=name, source=str(tmp_path / name), directory="/nowhere/at/all", **given)

    return settings


@pytest.mark.parametrize("name", list(trees.TREES))
def test_pictures_are_what_the_folder_holds_and_are_read_when_asked_for(name: str, at, monkeypatch) -> None:
    data = at(name)
    read: list[Path] = []
    monkeypatch.setattr(module, "content", lambda file: read.append(file) or content(file))
    splits = load(data)
    splits.unchecked["test"].of("visible")
    assert not read
    assert len(splits.test) == len(read)  # the check, once each
    assert not set(splits.train.identities) & set(splits.test.identities)
    for samples in (splits.train, splits.test):
        assert len(samples) and list(samples.names) == sorted(samples.names)
        assert set(samples.infrared.tolist()) == {False, True}
        for row in (0, len(samples) - 1):
            assert samples.encoded[row] == (Path(data.source) / samples.names[row]).read_bytes()
    assert not Path("/nowhere").exists()


def test_a_picture_that_is_damaged_or_gone_under_a_run_is_one_line(at, tmp_path: Path) -> None:
    test = load(at("folder")).test
    file = tmp_path / "folder" / test.names[0]
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(UserError, match=rf"picture {test.names[0]} can't be decoded, .*: copy it again"):
        list(evaluation_batches(test, 8, 4, 4))
    file.unlink()
    with pytest.raises(UserError, match=rf"{test.names[0]} can't be read \(No such file or directory\)"):
        list(evaluation_batches(test, 8, 4, 4))


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
