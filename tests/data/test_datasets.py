"""Data sets in a folder, as the training sees them: through tensorflow-datasets, prepared once, whole bytes."""

import dataclasses
from pathlib import Path

import drawn_trees as trees
import numpy as np
import pytest

from hicmd_tf.config.schema import DataConfig
from hicmd_tf.data.datasets import load
from hicmd_tf.errors import UserError


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


def test_a_changed_folder_is_prepared_anew(at, tmp_path: Path) -> None:
    data = at("folder")
    before = load(data)
    trees.picture(tmp_path / "folder" / "test" / "11" / "visible" / "new.png", 99)
    assert len(load(data).test) == len(before.test) + 1


def test_a_picture_of_the_same_length_is_prepared_anew(at, tmp_path: Path) -> None:
    data = at("folder")
    name, old = load(data).test.names[0], load(data).test.encoded[0]
    file = tmp_path / "folder" / name
    file.write_bytes(old[:-1] + bytes([old[-1] ^ 1]))  # a checksum's last bit
    assert load(dataclasses.replace(data, check="skip")).unchecked["test"].encoded[0] == file.read_bytes() != old


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
            load(data)
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


def test_preparing_leaves_nothing_among_the_temporary_files(at, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    load(at("folder"))
    assert not any((tmp_path / "temporary").iterdir())


def test_the_builders_work_as_any_other_of_tensorflow_datasets(tmp_path: Path) -> None:
    import tensorflow_datasets as tfds

    from hicmd_tf.data.sources.builders import RegDb

    trees.regdb(tmp_path / "regdb", trial=3)
    builder = RegDb(config="trial_3", data_dir=tmp_path)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=str(tmp_path / "regdb")))
    records = list(builder.as_dataset(split="train").as_numpy_iterator())
    assert builder.info.splits["train"].num_examples == len(records) == 12
    assert records[0]["image"].shape == (20, 12, 3) and records[0]["image"].dtype == np.uint8
