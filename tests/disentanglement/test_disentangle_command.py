"""The whole command on a run folder: what it writes, what it leaves out, what it refuses."""

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from hicmd_tf.commands.disentangle import main
from hicmd_tf.data.samples import DataSplits, Samples
from hicmd_tf.disentanglement import quality
from hicmd_tf.disentanglement.measure import Effort, measure
from hicmd_tf.disentanglement.measurement import CODES
from hicmd_tf.errors import UserError
from hicmd_tf.runs.opened import OpenedRun

EFFORT = Effort(seed=0, steps=2, pairs=6)
FEW = ["--pairs", "6", "--observer-steps", "2"]


@pytest.fixture(scope="module")
def folder(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that knows what its untrained networks reached."""
    folder = tmp_path_factory.mktemp("disentangle") / "run"
    shutil.copytree(smoke_run, folder)
    (folder / "untrained.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def run(smoke_run: Path) -> OpenedRun:
    """One that doesn't know its untrained networks, as converted weights don't."""
    return OpenedRun(smoke_run)


def test_every_table_is_printed_and_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--run", str(folder), *FEW])
    text = (folder / "disentangle.md").read_text()
    assert capsys.readouterr().out == text
    found = json.loads((folder / "disentangle.json").read_text())
    with (folder / "disentangle.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    for line, figure in zip(lines, found["figures"], strict=True):
        assert line == {name: "" if value is None else str(value) for name, value in figure.items()}
    for section, subjects in (("reading", set(CODES)), ("swap", {"none", "real source", "real donor", *CODES})):
        for networks in ("trained", "untrained"):
            of = [f for f in found["figures"] if f["section"] == section and f["networks"] in (networks, "real")]
            assert {figure["subject"] for figure in of} == subjects
    assert {claim["networks"] for claim in found["claims"]} == {"trained", "untrained"}
    assert all(claim["claim"] in text and claim["figures"] in text for claim in found["claims"])


def test_reconstructions_are_those_of_their_rows_however_many_are_made_at_once(
    run: OpenedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    twins = quality.draw_twins(run.samples, 6, seed=0)
    (whole,) = quality.reconstruct(run, twins)
    monkeypatch.setattr(quality, "AT_ONCE", 4)
    parts = list(quality.reconstruct(run, twins))
    assert [len(part["cross", "visible"]) for part in parts] == [4, 2]
    for key, pictures in whole.items():
        assert np.abs(pictures.astype(int) - np.concatenate([part[key] for part in parts])).max() <= 1


def without_factors(samples: Samples) -> Samples:
    return dataclasses.replace(samples, factors={})


def test_pictures_that_were_not_drawn_and_weights_from_elsewhere_leave_out_what_is_not_known(run: OpenedRun) -> None:
    data = DataSplits(*(without_factors(getattr(run.data, name)) for name in ("train", "held_out", "test")))
    found = measure(run.having(data=data), EFFORT)
    identity = {"identity", "identity, visible to infrared", "identity, infrared to visible"}
    assert {row.factor for row in found} == {"", "modality", "camera", *identity}
    assert {row.networks for row in found} == {"trained", "real"}


def test_one_person_is_refused_before_anything_is_learned(run: OpenedRun) -> None:
    only = run.data.test.having(run.data.test.identities[:1])
    data = DataSplits(run.data.train, run.data.held_out, only)
    with pytest.raises(UserError, match="1 person"):
        measure(run.having(data=data), EFFORT)


def test_people_of_one_modality_each_are_refused(run: OpenedRun) -> None:
    test = run.data.test
    apart = test.select(test.infrared == (test.identities == test.identities[0]))
    with pytest.raises(UserError, match="both visible and infrared"):
        measure(run.having(data=DataSplits(run.data.train, run.data.held_out, apart)), EFFORT)


def test_a_run_without_checkpoint_and_numbers_out_of_range_are_one_line(folder: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(folder / "config.yaml", bare)
    with pytest.raises(UserError, match="no checkpoint"):
        main(["--run", str(bare)])
    with pytest.raises(UserError, match="not a run folder"):
        main(["--run", str(tmp_path / "nowhere")])
    with pytest.raises(UserError, match="--pairs: '1'"):
        main(["--run", str(folder), "--pairs", "1"])
