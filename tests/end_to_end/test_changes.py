"""A run whose losses stop being finite goes on with another rate, changes once more, and is made again with its
changes."""

import csv
import json
from pathlib import Path

import pytest

from hicmd_tf import fit, reproduce
from hicmd_tf.config import load
from hicmd_tf.errors import UserError
from hicmd_tf.training.run_folder import Change, RunFolder

PLUMBING = Path(__file__).parents[1] / "fixtures" / "plumbing.yaml"
RATE, PENALTY = "optimisers.generator_rate", "losses.gradient_penalty"


@pytest.mark.usefixtures("plain_graphs")
@pytest.mark.filterwarnings("ignore:code")  # which someone may edit while the tests run
def test_a_run_that_failed_goes_on_with_changes_and_is_reproduced(
    smoke_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunFolder(tmp_path / "run")
    command = ["--config", str(PLUMBING), "--data.directory", str(smoke_directory), "--run", str(run.path)]
    command += ["--no-report", f"--{RATE}", "1e12", "--training.checkpoint_every", "2", "--training.picture_every", "9"]
    with pytest.raises(UserError, match=rf"became nan.*--resume --change {RATE}=5e\+11, say"):
        fit.main([*command, "--steps", "3"])
    fit.main([*command, "--steps", "3", "--resume", "--change", f"{RATE}=1e-4"])
    assert run.changes() == [Change(0, RATE, 1e12, 1e-4)]

    longer = [*command, "--steps", "5", "--resume"]
    fit.main([*longer, "--change", f"{PENALTY}=0.5"])  # and the first change holds
    with pytest.raises(UserError, match="has all its 5 steps: what changes holds for later ones"):
        fit.main([*longer, "--change", f"{PENALTY}=0.25"])
    assert run.changes()[1:] == [Change(3, PENALTY, 0.01, 0.5)]
    assert (run.open().optimisers.generator_rate, run.open().losses.gradient_penalty) == (1e-4, 0.5)
    assert load(run.config).optimisers.generator_rate == 1e12  # as the command says
    with run.losses.open() as file:
        assert [row["generator_rate"] for row in csv.DictReader(file)] == ["0.0001"] * 3 + ["3e-05"] * 2
    metrics = json.loads(run.metrics.read_text())
    assert metrics["provenance"]["changes"] == json.loads(run.changed.read_text())

    capsys.readouterr()
    reproduce.main([str(run.path)])
    assert capsys.readouterr().out.splitlines()[-1].startswith("reproduced to the bit")
    assert RunFolder(run.path / "reproduction").changes() == run.changes()[1:]
