"""A run whose losses stop being finite goes on with another rate, changes once more, and is made again with its
changes."""

import csv
import json
from pathlib import Path

import pytest

from hicmd_tf.commands import fit, reproduce
from hicmd_tf.config import load
from hicmd_tf.errors import UserError
from hicmd_tf.runs.changes import Change
from hicmd_tf.runs.folder import RunFolder

PLUMBING = Path(__file__).parents[1] / "fixtures" / "plumbing.yaml"
RATE, PENALTY = "optimisers.generator_rate", "losses.gradient_penalty"


@pytest.fixture(scope="module")
def failed(smoke_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, list[str], str]:
    """A run that stopped, its command, and what it said."""
    run = RunFolder(tmp_path_factory.mktemp("runs") / "failed")
    command = ["--config", str(PLUMBING), "--data.directory", str(smoke_directory), "--run", str(run.path)]
    command += ["--no-report", f"--{RATE}", "1e12", "--training.checkpoint_every", "2", "--training.picture_every", "9"]
    with pytest.raises(UserError) as caught:
        fit.main([*command, "--steps", "3"])
    return run, command, str(caught.value)


@pytest.fixture(scope="module")
def changed(failed: tuple[RunFolder, list[str], str]) -> tuple[RunFolder, list[str]]:
    """The same run, which went on with another rate."""
    run, command, _ = failed
    fit.main([*run.go_on.split()[2:], "--no-report", "--change", f"{RATE}=1e-4"])  # as the run says
    return run, command


def test_a_run_that_failed_goes_on_as_it_says(
    failed: tuple[RunFolder, list[str], str], changed: tuple[RunFolder, list[str]]
) -> None:
    said, (run, _) = failed[2], changed
    assert "became nan" in said and said.endswith(f"{run.go_on} --change {RATE}=5e+11")
    assert run.changes()[0] == Change(0, RATE, 1e12, 1e-4)
    assert run.open().optimisers.generator_rate == 1e-4
    assert load(run.config).optimisers.generator_rate == 1e12  # as the command says
    assert [float(row["generator_rate"]) for row in rates(run)[:3]] == [1e-4] * 3
    assert json.loads(run.metrics.read_text())["provenance"]["changes"] == json.loads(run.changed.read_text())


def rates(run: RunFolder) -> list[dict[str, str]]:
    with run.losses.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:code")  # which someone may edit while the tests run
def test_a_run_that_changed_twice_is_reproduced(
    changed: tuple[RunFolder, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    run, command = changed
    longer = [*command, "--steps", "5", "--resume"]
    fit.main([*longer, "--change", f"{PENALTY}=0.5"])  # and the first change holds
    with pytest.raises(UserError, match="has all its 5 steps: what changes holds for later ones"):
        fit.main([*longer, "--change", f"{PENALTY}=0.25"])
    assert run.changes() == [
        Change(0, RATE, 1e12, 1e-4),
        Change(3, PENALTY, load(PLUMBING).losses.gradient_penalty, 0.5),
    ]
    assert (run.open().optimisers.generator_rate, run.open().losses.gradient_penalty) == (1e-4, 0.5)
    assert [row["generator_rate"] for row in rates(run)] == ["0.0001"] * 3 + ["3e-05"] * 2
    capsys.readouterr()
    reproduce.main([str(run.path)])
    assert capsys.readouterr().out.splitlines()[-1].startswith("reproduced to the bit")
    assert RunFolder(run.path / "reproduction").changes() == run.changes()[1:]
