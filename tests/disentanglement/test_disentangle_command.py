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
from hicmd_tf.disentanglement.claims import judge
from hicmd_tf.disentanglement.measure import Effort, facts_of, measure
from hicmd_tf.disentanglement.measurement import CODES, PERMUTED
from hicmd_tf.disentanglement.report import as_markdown
from hicmd_tf.errors import UserError
from hicmd_tf.runs.opened import OpenedRun


@pytest.fixture(scope="module")
def run(smoke_run: Path) -> OpenedRun:
    """One that doesn't know its untrained networks, as converted weights don't."""
    return OpenedRun(smoke_run)


def test_every_table_is_printed_and_written(
    smoke_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(smoke_run, tmp_path / "run")
    (folder / "untrained.json").write_text("{}")  # so that its untrained networks are known
    main(["--run", str(folder), "--pairs", "6", "--observer-steps", "2"])
    text = (folder / "disentangle.md").read_text()
    assert capsys.readouterr().out == text
    found = json.loads((folder / "disentangle.json").read_text())
    with (folder / "disentangle.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    for line, figure in zip(lines, found["figures"], strict=True):
        assert line == {name: "" if value is None else str(value) for name, value in figure.items()}
        assert f"{figure['value']:.3f}" in text
    for section, subjects in (("reading", set(CODES)), ("swap", {"none", "real source", "real donor", *CODES})):
        for networks in ("trained", "untrained"):
            of = [f for f in found["figures"] if f["section"] == section and f["networks"] in (networks, "real")]
            assert {figure["subject"] for figure in of} == subjects
        for section in ("blocks", "intervention", "independence"):
            assert any(f["section"] == section and f["networks"] == networks for f in found["figures"])
        control = [f for f in found["figures"] if f["setting"] == PERMUTED and f["networks"] == networks]
        assert {figure["subject"] for figure in control} == set(CODES)
    assert "can't be judged" in text and "Not measured" not in text
    assert {claim["networks"] for claim in found["claims"]} == {"trained", "untrained"}
    assert all(claim["claim"] in text and claim["figures"] in text for claim in found["claims"])


def of(run: OpenedRun, train: Samples, test: Samples) -> OpenedRun:
    return run.having(data=DataSplits(train, run.data.held_out, test))


def test_pictures_that_were_not_drawn_and_weights_from_elsewhere_leave_out_what_is_not_known(run: OpenedRun) -> None:
    unknown = [dataclasses.replace(samples, factors={}) for samples in (run.data.train, run.data.test)]
    found = measure(of(run, *unknown), Effort(seed=0, steps=2, pairs=6))
    identity = {"identity", "identity, visible to infrared", "identity, infrared to visible"}
    assert {row.factor for row in found} == {"", "modality", "camera", *identity}
    assert {row.networks for row in found} == {"trained", "real"}
    assert {row.section for row in found} == {"reading", "independence", "observer", "swap", "quality"}
    text = as_markdown(found, judge(found), {})
    assert text.count("Not measured: it takes drawn people") == 2


def test_a_modality_with_too_few_pictures_to_correlate_is_named(run: OpenedRun) -> None:
    key, effort = "too few pictures for distance correlation", Effort(seed=0, steps=2, pairs=6)
    assert key not in facts_of(run, effort)
    rows = np.concatenate([run.rows("visible"), run.rows("infrared")[:3]])
    assert facts_of(run.having(samples=run.samples.select(rows)), effort)[key] == "infrared"


def test_too_few_people_and_pairs_are_refused_before_anything_is_learned(run: OpenedRun, tmp_path: Path) -> None:
    test = run.data.test
    apart = test.select(test.infrared == (test.identities == test.identities[0]))
    for few, said in ((test.having(test.identities[:1]), "1 person"), (apart, "both visible and infrared")):
        with pytest.raises(UserError, match=said):
            measure(of(run, run.data.train, few), Effort(seed=0, steps=2, pairs=6))
    with pytest.raises(UserError, match="not a run folder"):
        main(["--run", str(tmp_path / "nowhere")])
    with pytest.raises(UserError, match="--pairs: '1'"):
        main(["--run", str(run.folder.path), "--pairs", "1"])
