"""What only reads a run leaves it alone, and says at once where it can't write."""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from hicmd_tf.commands.describe import main as ask
from hicmd_tf.commands.disentangle import main as disentangle
from hicmd_tf.commands.evaluate import main as evaluate
from hicmd_tf.commands.extract import main as extract
from hicmd_tf.commands.report import main as report
from hicmd_tf.commands.visualize import main as visualize
from hicmd_tf.convert.run import to_torch
from hicmd_tf.errors import UserError
from hicmd_tf.runs.metrics import shown
from hicmd_tf.runs.opened import OpenedRun

Command = Callable[[Sequence[str]], None]


def content(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Every file with its time and bytes."""
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_an_evaluation_with_out_writes_there_and_nothing_into_the_run(
    smoke_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(smoke_run)
    evaluate(["--run", str(smoke_run), "--out", str(tmp_path / "out")])
    assert content(smoke_run) == before
    written = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    kinds = ("json", "csv", "verification.csv", "md")
    assert set(written) == {"metrics.json", *(f"evaluation.{kind}" for kind in kinds)}
    found, printed = json.loads(written["metrics.json"]), capsys.readouterr().out
    assert f"{100 * found['visible_to_infrared']['rank1']:.2f}" in printed
    equal, _, _ = found["verification"][0]["figures"]["EER"]
    assert re.search(rf"visible -> infrared +EER +{100 * equal:.2f} ", printed)
    assert "TAR at FAR 0.1 % is not stated: it takes 10,000 pairs of strangers, there are 120" in printed
    threshold = found["threshold"]
    assert threshold["chosen_on"] == "train" and threshold["people"] == 6 and len(threshold["tested_far"]) == 3
    assert f"likely one person from similarity {threshold['similarity']:.4f} on" in printed
    assert "a false-accept rate of 0.1 % was wanted, which takes 10,000 pairs of strangers" in printed
    assert json.loads(written["evaluation.json"])["verification"] == found["verification"]
    assert f"visible_to_infrared,EER,{equal}," in written["evaluation.verification.csv"]
    assert re.search(rf"visible -> infrared \| EER +\| {100 * equal:.2f} ", written["evaluation.md"])


def test_a_run_has_the_threshold_of_its_newest_checkpoint_and_an_older_one_s_has_none(
    smoke_run: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(smoke_run, tmp_path / "run")
    assert OpenedRun(folder).threshold is None
    evaluate(["--run", str(folder), "--false-accept-rate", "0.1"])
    metrics = json.loads((folder / "metrics.json").read_text())
    found = OpenedRun(folder).threshold
    assert found is not None and found._asdict() == metrics["threshold"] and found.wanted == 0.1
    for other in (
        {**metrics, "steps": metrics["steps"] + 1},
        {**metrics, "threshold": None},
        {name: value for name, value in metrics.items() if name not in ("threshold", "verification")},
    ):
        (folder / "metrics.json").write_text(json.dumps(other))
        assert OpenedRun(folder).threshold is None and "chance" in shown(other)
    with pytest.raises(UserError, match=r"--false-accept-rate is of the run's own threshold"):
        evaluate(["--run", str(folder), "--false-accept-rate", "0.1", "--rerank"])


@pytest.fixture
def run(smoke_run: Path, tmp_path: Path) -> Path:
    """A run whose data would have to be prepared first."""
    shutil.copytree(smoke_run, tmp_path / "run")
    settings = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    settings["data"]["directory"] = str(tmp_path / "data")
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (evaluate, []),
        (evaluate, ["--trial", "1"]),
        (disentangle, []),
        (visualize, ["all"]),
        (report, []),
    ],
)
def test_a_place_that_can_not_be_written_is_named_before_anything_is_done(
    command: Command, arguments: list[str], run: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file" / "out", Path("/proc/nothing")):
        with pytest.raises(UserError, match=rf"^{out}.*: can't be written \(.*\); free space or name another place$"):
            command([*arguments, "--run", str(run), "--out", str(out)])
    assert not (tmp_path / "data").exists()


def test_so_is_an_argument_and_before_it_a_run_that_is_none(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't be written"):
        to_torch(run, tmp_path / "file" / "out")
    for command in (ask, extract):
        with pytest.raises(UserError, match=r"^command line: --out: .*/file/out: can't be written"):
            command(["--modality", "visible", "--out", str(tmp_path / "file" / "out"), "a.png"])
    for command, arguments in ((evaluate, []), (disentangle, []), (visualize, ["all"])):
        with pytest.raises(UserError, match="/proc/nothing is not a run folder"):
            command([*arguments, "--run", "/proc/nothing"])
