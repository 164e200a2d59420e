"""Whole runs on the smallest configuration: what they make, how they stop, resume and are reproduced."""

import csv
import json
import math
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hicmd_tf.commands import main
from hicmd_tf.config import load
from hicmd_tf.errors import INTERRUPTED, UserError
from hicmd_tf.provenance.comparison import compare_weights
from hicmd_tf.runs.checkpoints import read
from hicmd_tf.visualize import figures

PLUMBING = Path(__file__).parents[1] / "fixtures" / "plumbing.yaml"
TERMS = ("same", "cross", "cycle", "code", "kl", "adversarial", "cross_entropy", "triplet", "discriminator", "alpha")
FIGURES = ("rank1", "rank5", "rank10", "rank20", "mAP", "mINP")
DIRECTIONS = ("visible_to_infrared", "infrared_to_visible")
STEPS = 4
SETTINGS = ("--training.checkpoint_every", "1", "--training.picture_every", "2", "--optimisers.drop_every", "3")
DEADLINE = 300  # seconds, only so that a hang ends
WITHOUT_GRAPHS = """
import tensorflow
from hicmd_tf.commands import console
tensorflow.config.run_functions_eagerly(True)
console("fit")
"""


def options(data: Path, run: Path, *more: str) -> list[str]:
    where = ["--config", str(PLUMBING), "--data.directory", str(data), "--run", str(run)]
    return [*where, "--steps", str(STEPS), *SETTINGS, *more]


def metrics_of(run: Path) -> dict[str, object]:
    """metrics.json but for the code behind it, which someone may edit while the tests run."""
    metrics = json.loads((run / "metrics.json").read_text())
    del metrics["provenance"]["origins"]
    return metrics


@pytest.fixture(scope="module")
def whole(smoke_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run, with its report; all kinds of figures have tests of their own."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "KINDS", {"curves": figures.KINDS["curves"]})
        main(["fit", *options(smoke_directory, run)])
    return run


def stopped(run: Path, step: int, number: signal.Signals, *arguments: str) -> tuple[int, str]:
    """`fit` in a process of its own, which is sent a signal once there is a checkpoint of a step; its exit code and
    what it said."""
    command = [sys.executable, "-c", WITHOUT_GRAPHS, *arguments, "--no-report"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        limit = time.monotonic() + DEADLINE
        while not (run / "checkpoints" / f"step-{step:06d}.safetensors").exists():
            assert process.poll() is None, "the run ended before it was to be stopped"
            assert time.monotonic() < limit, "the run never came to its checkpoint"
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=DEADLINE)
    return process.returncode, said


@pytest.fixture(scope="module")
def resumed(smoke_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was killed, then interrupted by Ctrl-C, then came to its end."""
    run = tmp_path_factory.mktemp("runs") / "killed"
    code, _ = stopped(run, 1, signal.SIGKILL, *options(smoke_directory, run))
    assert code == -signal.SIGKILL and not (run / "metrics.json").exists()
    code, said = stopped(run, 2, signal.SIGINT, *options(smoke_directory, run, "--resume"))
    assert code == INTERRUPTED and "go on with the same command" in said and "Traceback" not in said
    assert "training on " in said
    main(["fit", *options(smoke_directory, run, "--resume", "--no-report")])
    return run


def test_a_run_folder_holds_everything(whole: Path) -> None:
    metrics = json.loads((whole / "metrics.json").read_text())
    for scores in (metrics, metrics["untrained"], metrics["chance"], metrics["raw_pixels"]):
        for direction in DIRECTIONS:
            assert all(0 <= scores[direction][figure] <= 1 for figure in FIGURES)
    assert metrics["steps"] == STEPS and metrics["split"] == "test"
    assert metrics["threshold"]["chosen_on"] == "train" and len(metrics["verification"]) == 2
    with (whole / "losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert int(rows[-1]["step"]) == STEPS
    assert all(math.isfinite(float(row[term])) for row in rows for term in TERMS)
    assert all(float(row[rate]) > 0 for row in rows for rate in ("generator_rate", "feature_rate"))
    with (whole / "evaluations.csv").open() as file:
        evaluations = list(csv.DictReader(file))
    assert [int(row["step"]) for row in evaluations] == [2, STEPS]
    for direction in DIRECTIONS:  # what is evaluated after the last iteration is the run's result
        for figure in FIGURES:
            last = float(evaluations[-1][f"{direction}_{figure}"])
            assert last == pytest.approx(metrics[direction][figure], rel=1e-6)
    tags = {
        (event.step, value.tag)
        for file in (whole / "tensorboard").glob("events*")
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    }
    assert {(2, "pictures"), (4, "pictures"), (4, "evaluation/visible_to_infrared_mAP"), (4, "cross")} <= tags
    assert (whole / "tensorboard" / "projector" / "descriptors.tsv").is_file()
    with Image.open(whole / "pictures" / "final.png") as picture:
        assert len(picture.convert("RGB").getcolors(picture.width * picture.height)) > 20
    assert "tensorflow" in json.loads((whole / "environment.json").read_text())
    assert load(whole / "config.yaml").batch == load(PLUMBING).batch
    page = (whole / "report.html").read_text()
    for title in ("Losses over the steps", "Rank-1 and mAP over the steps", "CMC"):
        assert f">{title}<" in page


def test_evaluate_repeats_the_figures(whole: Path) -> None:
    before = metrics_of(whole)
    main(["evaluate", "--run", str(whole)])
    assert metrics_of(whole) == before


def test_a_run_that_was_stopped_ends_as_an_uninterrupted_one(whole: Path, resumed: Path) -> None:
    assert metrics_of(resumed) == metrics_of(whole)
    one, other = (read(run / "checkpoints" / f"step-{STEPS:06d}.safetensors") for run in (whole, resumed))
    assert compare_weights(one.arrays, other.arrays).difference == 0 and one.notes == other.notes
    for name in ("losses.csv", "evaluations.csv", "untrained.json"):
        assert (resumed / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.filterwarnings("ignore:code")  # which someone may edit while the tests run
def test_what_was_tampered_with_is_not_reproduced(
    whole: Path, resumed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again, tampered = shutil.copytree(resumed, tmp_path / "again"), shutil.copytree(whole, tmp_path / "tampered")
    (again / "reproduction.json").write_text('{"verdict": "not finished"}')  # all is trained: it is only compared
    main(["reproduce", str(whole), "--run", str(again)])
    assert capsys.readouterr().out.splitlines()[-1].startswith("reproduced to the bit")
    assert json.loads((again / "reproduction.json").read_text())["exact"]

    *above, last, _ = (whole / "losses.csv").read_text().split("\n")
    cells = last.split(",")
    (tampered / "losses.csv").write_text("\n".join([*above, ",".join([cells[0], f"{cells[1]}1", *cells[2:]]), ""]))
    with pytest.raises(SystemExit) as stopped:
        main(["reproduce", str(tampered), "--run", str(again)])
    assert stopped.value.code == 1
    printed = capsys.readouterr().out
    assert f"first at step {STEPS}, " in printed and f": {cells[1]}1 was, {cells[1]} is" in printed
    assert "equal bit for bit" in printed and "not to the bit" in printed.splitlines()[-1]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--batch.pairs", "40"], "batch.pairs"),
        (["--networks.resnet_weights", "nowhere.pth"], "nowhere.pth"),
        (["--data.directory", str(PLUMBING)], "plumbing.yaml"),
    ],
)
def test_mistakes_are_named_and_leave_no_folder(
    more: list[str], named: str, smoke_directory: Path, tmp_path: Path
) -> None:
    places = ["--data.directory", str(smoke_directory)] * ("--data.directory" not in more)
    with pytest.raises(UserError, match=named):
        main(["fit", "--config", str(PLUMBING), *places, "--run", str(tmp_path / "run"), *more])
    assert not (tmp_path / "run").exists()


def test_a_run_folder_in_use_is_not_overwritten(smoke_directory: Path, whole: Path) -> None:
    before = (whole / "metrics.json").read_text()
    for more, named in (([], "--resume"), (["--resume", "--losses.kl", "2"], r"losses\.kl")):
        with pytest.raises(UserError, match=named):
            main(["fit", *options(smoke_directory, whole, *more)])
    assert (whole / "metrics.json").read_text() == before


def test_a_run_begins_with_the_weights_of_another_and_goes_on_without_it(
    smoke_directory: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, run = Path(shutil.copytree(whole, tmp_path / "source")), tmp_path / "run"
    # The other split of drawn people would be tested on some whom the weights have seen: other people are.
    given = ["--initialise", str(source), "--training.frozen", "[decoder]", "--data.synthetic.seed", "5", "--no-report"]
    with pytest.raises(UserError, match=r"identities were trained on.*begin with weights that have not seen these"):
        main(["fit", *options(smoke_directory, run, "--initialise", str(source), "--data.trial", "2")])
    assert not run.exists()
    main(["fit", *options(smoke_directory, run, *given)])
    said = capsys.readouterr().err
    assert "weights of" in said and "frozen: decoder, whose weights stay as they begin\n" in said
    told = json.loads((run / "initial.json").read_text())
    assert told["steps"] == STEPS and told["taken"]["decoder"] > 0
    assert told["figures"] != json.loads((run / "untrained.json").read_text()) and set(told["figures"]) == set(
        DIRECTIONS
    )
    people = json.loads((run / "identities.json").read_text())
    assert list(people["earlier"]) == [json.loads((source / "identities.json").read_text())["people"]]

    def decoder(of: Path) -> dict[str, np.ndarray]:
        arrays = read(max((of / "checkpoints").iterdir()), optimisers=False).arrays
        return {name: array for name, array in arrays.items() if name.startswith("generator/decoder/")}

    shutil.rmtree(source)
    again = options(smoke_directory, run, *given, "--resume")
    again[again.index("--steps") + 1] = str(STEPS + 1)
    main(["fit", *again])
    assert json.loads((run / "identities.json").read_text()) == people
    for name, array in decoder(whole).items():
        np.testing.assert_array_equal(decoder(run)[name], array)


def test_a_corrupt_picture_is_named(smoke_directory: Path, whole: Path, tmp_path: Path) -> None:
    """Bytes changed in the drawn data set: the run names it before it trains."""
    shutil.copytree(smoke_directory, tmp_path / "data")
    for records in (tmp_path / "data").rglob("*array_record*"):
        original = records.read_bytes()
        middle = len(original) // 2
        records.write_bytes(original[:middle] + bytes(64) + original[middle + 64 :])
    with pytest.raises(UserError, match="synthetic_vi"):
        main(["fit", *options(tmp_path / "data", tmp_path / "run")])
