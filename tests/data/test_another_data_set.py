"""A sixth data set is one object, and a line for settings: choices, check, loading, figures and file names follow."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import drawn_trees as trees
import numpy as np
import pytest

from hicmd_tf.commands import main as hicmd
from hicmd_tf.config import kinds
from hicmd_tf.config import load as load_config
from hicmd_tf.data.datasets import load, published
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import Search, all_against_all
from hicmd_tf.data.sources import DATA_SETS, DataSet, Listing, Record
from hicmd_tf.data.sources.records import checked, existing
from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE
from hicmd_tf.retrieval.evaluation import evaluate
from hicmd_tf.retrieval.stored import write_descriptors


class Corridor(DataSet):
    """Two halls, each with two splits: DIR/HALL/MODALITY_PERSON.png."""

    name = "corridor"
    layout = "first/ and second/"
    obtained = "it is made up"
    protocol = "market1501"
    counts = {("test", VISIBLE): (3, 3), ("test", INFRARED): (3, 4)}  # noqa: RUF012

    def listing(self, folder: Path, trial: int, pattern: str) -> Listing:
        existing(folder, "first", "second", advice=self.advice)
        halls = ("first", "second") if trial == 1 else ("second", "first")
        return checked(folder, Listing({"train": list(_records(halls[0])), "test": list(_records(halls[1]))}))

    def galleries(self, samples: Samples, permutations: Path | None) -> Iterator[Search]:
        for search in all_against_all(samples, self.protocol):
            yield search._replace(setting="made up")


def _records(hall: str) -> Iterator[Record]:
    for person in range(3):
        for camera, modality in enumerate(MODALITIES, 1):
            yield Record(f"{hall}/{modality}_{person}.png", person + 10 * (hall == "second"), modality, camera)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The made-up data set, among the others."""
    monkeypatch.setitem(DATA_SETS, Corridor.name, Corridor())
    monkeypatch.setitem(kinds.DATA_SETS, Corridor.name, kinds.DataSet(trials=2))
    for number, record in enumerate([*_records("first"), *_records("second")]):
        trees.picture(tmp_path / record.name, number, grey=record.modality == INFRARED)
    return tmp_path


def test_settings_take_it_as_any_other(folder: Path, smoke_config) -> None:
    config = load_config("tiny", {"data.name": "corridor", "data.source": str(folder), "data.trial": 2})
    for key, value, said in (
        ("data.trial", 3, "data.trial is 3: corridor has 2 splits; choose one of them"),
        ("data.pattern", "(?P<identity>.)", "corridor has a layout of its own"),
        ("data.name", "corrider", "expected synthetic_vi, regdb"),
    ):
        with pytest.raises(UserError, match=said):
            load_config("tiny", {"data.name": "corridor", "data.source": str(folder), key: value})
    data = load(dataclasses.replace(config.data, held_out=1, height=20, width=12))
    assert set(data.test.identities) == {0, 1, 2} and len(data.train) == 4 and len(data.held_out) == 2


def test_it_is_checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hicmd(["check", "corridor", str(folder), "--trial", "1"])
    said = capsys.readouterr().out
    assert "corridor, trial 1" in said and said.count("the same") == 1 and "3 and 4" in said
    (folder / "second/visible_0.png").unlink()
    with pytest.raises(UserError, match=r"there is no second/visible_0.png, which its lists name"):
        hicmd(["check", "corridor", str(folder)])


def test_figures_on_it_are_by_its_galleries_and_called_after_it(folder: Path, capsys, smoke_config) -> None:
    config = dataclasses.replace(smoke_config.data, name="corridor", source=str(folder), trial=2)
    samples = load(config).test
    perfect = np.eye(3)[samples.identities % 10]
    rows = evaluate(perfect, samples, published(config, samples))
    assert [(row.setting, row.mean["mAP"]) for row in rows] == [("made up", 1)] * 2
    assert DATA_SETS["corridor"].called(config) == "corridor_trial_2"
    write_descriptors(folder / "found.npz", perfect, samples)
    hicmd(["evaluate", "--descriptors", str(folder / "found.npz"), "--data", "corridor"])
    assert len([line for line in capsys.readouterr().out.splitlines() if " made up " in line]) == 2
    with pytest.raises(UserError, match="corridor has none, leave them out"):
        hicmd(["evaluate", "--descriptors", str(folder / "found.npz"), "--data", "corridor", "--permutations", "x.mat"])
