"""The folder to practise on: whole by `hicmd check`, the same for the same options, all or nothing."""

import os
from pathlib import Path

import pytest

from hicmd_tf.commands import main as hicmd
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.drawn_people import sample_folder
from hicmd_tf.errors import UserError
from hicmd_tf.pictures.decode import decode

SMALL = ("--people", "5", "--pictures", "3", "--height", "32")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_it_is_a_whole_folder_of_own_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my pictures"
    folder.mkdir()  # empty: no mistake
    hicmd(["sample-folder", str(folder), *SMALL])
    said = capsys.readouterr().out
    assert said.startswith("30 pictures of 5 drawn people") and said.endswith(f"hicmd check folder '{folder}'\n")
    hicmd(["check", "folder", str(folder)])
    splits = DATA_SETS["folder"].read(folder).splits
    assert {split: {one.identity for one in of} for split, of in splits.items()} == {"train": {1, 2, 3}, "test": {4, 5}}
    taken = [(one.modality, one.camera) for one in splits["test"] if one.identity == 4]
    assert sorted(taken) == [("infrared", 3)] * 2 + [("infrared", 4)] + [("visible", 1)] * 2 + [("visible", 2)]
    assert {decode(content).shape for content in contents(folder).values()} == {(32, 16, 3)}
    assert os.listdir(tmp_path) == [folder.name]


def test_the_same_seed_draws_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        hicmd(["sample-folder", str(tmp_path / name), *SMALL, "--seed", seed, "--cameras", "1"])
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert a == b and a.keys() == c.keys() and not a.items() & c.items()
    assert {name.rpartition("/")[2].partition("_")[0] for name in a} == {"cam1", "cam3"}


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(UserError, match="exists already: name another folder"):
        hicmd(["sample-folder", str(tmp_path), *SMALL])
    assert os.listdir(tmp_path) == ["mine"]


def test_a_drawing_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> object:
        yield {"identity": 0, "modality": "visible", "camera": 1, "image": b""}
        raise KeyboardInterrupt

    monkeypatch.setattr(sample_folder, "encode_all", fail)
    with pytest.raises(KeyboardInterrupt):
        hicmd(["sample-folder", str(tmp_path / "new"), *SMALL])
    assert os.listdir(tmp_path) == []
