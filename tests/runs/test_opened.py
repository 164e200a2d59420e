"""An opened run reads each of its parts when it is asked for, and builds nothing to train with."""

from pathlib import Path

import numpy as np
import pytest

from hicmd_tf.commands.evaluate import main as evaluate
from hicmd_tf.config import dump, load
from hicmd_tf.errors import UserError
from hicmd_tf.runs.opened import OpenedRun


def test_pictures_are_described_without_anything_to_train_with(
    smoke_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = "hicmd_tf.engines.tensorflow.learner.Learner.__init__"
    monkeypatch.setattr(refused, lambda *_, **__: pytest.fail("a trainer was built"))
    run = OpenedRun(smoke_run)
    assert run.descriptors.shape == (len(run.samples), 16)
    few = run.having(samples=run.samples.select(np.arange(5)))
    np.testing.assert_allclose(few.descriptors, run.descriptors[:5], atol=1e-5)
    assert few.model is run.model and run.known is run and run.untrained is None and run.trained_on is None


def test_what_is_not_there_is_missed_when_it_is_asked_for(smoke_run: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text((smoke_run / "config.yaml").read_text())
    run = OpenedRun(tmp_path)
    assert run.config.data.height == 32
    with pytest.raises(UserError, match="has no checkpoint yet"):
        _ = run.model
    with pytest.raises(UserError, match="is not a run folder"):
        _ = OpenedRun(tmp_path / "nowhere").config


def test_a_data_folder_that_is_gone_is_said_to_be_what_the_run_remembers(tmp_path: Path) -> None:
    values = {"data.name": "folder", "data.source": str(tmp_path / "moved")}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(dump(load("tiny", values)))
    said = f"run remembers that its pictures are in {tmp_path / 'moved'}, which is no folder: .* --source DIR"
    with pytest.raises(UserError, match=said):
        _ = OpenedRun(tmp_path / "run").samples
    for options in ((), ("--rerank",)):
        with pytest.raises(UserError, match=said):
            evaluate(["--run", str(tmp_path / "run"), *options])
