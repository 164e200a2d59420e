"""From folders laid out as RegDB and SYSU-MM01 are to published tables, by the commands that people type."""

import json
import subprocess
import sys
from pathlib import Path

import drawn_trees as trees
import numpy as np
import pytest

from hicmd_tf.commands import evaluate, extract
from hicmd_tf.data.labels import number
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.modality import SETTINGS

FIXTURES = Path(__file__).parents[1] / "fixtures"
METHODS = {"hicmd": FIXTURES / "plumbing.yaml", "embedding": FIXTURES / "smoke_embedding.yaml"}


def read(folder: Path) -> dict:
    return json.loads((folder / "evaluation.json").read_text())


@pytest.fixture(scope="module")
def regdb(tmp_path_factory) -> Path:
    """Two trials that train on opposite halves."""
    folder = tmp_path_factory.mktemp("regdb")
    for trial in (1, 2):
        trees.regdb(folder, people=12, trial=trial)
    return folder


@pytest.fixture(scope="module", params=METHODS)
def trials(request: pytest.FixtureRequest, regdb: Path, tmp_path_factory) -> Path:
    """Both trained, by one command, with either method."""
    run = tmp_path_factory.mktemp("runs") / "regdb"
    options = ["--data.name", "regdb", "--trials", "1-2", "--no-report", "--training.steps", "2"]
    where = ["--data.source", str(regdb), "--run", str(run)]
    command = [sys.executable, "-m", "hicmd_tf.fit", "--config", str(METHODS[request.param]), *options, *where]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert "visible -> infrared" in done.stdout and "±" in done.stdout
    return run


@pytest.mark.slow
def test_trials_are_averaged(trials: Path) -> None:
    both = [json.loads((trials / f"trial_{trial}" / "metrics.json").read_text()) for trial in (1, 2)]
    table = read(trials)
    assert table["trials"] == [1, 2] and [row["trials"] for row in table["rows"]] == [2] * 6
    for place, row in enumerate(table["rows"]):
        values = [metrics["settings"][place]["mean"]["mAP"] for metrics in both]
        assert row["mean"]["mAP"] == pytest.approx(np.mean(values))
    assert (trials / "evaluation.csv").is_file() and (trials / "evaluation.md").read_text().startswith("| direction")
    assert {"chance", "raw_pixels", "untrained"} <= both[0].keys()


@pytest.mark.slow
def test_people_who_were_trained_on_are_not_tested(trials: Path, regdb: Path, tmp_path: Path, capsys) -> None:
    options = ["--run", str(trials / "trial_1"), "--trial", "2", "--out", str(tmp_path)]
    with pytest.raises(UserError, match=r"6 of the 6 identities were trained on, the first is 1: .*--allow-trained"):
        evaluate.main(options)
    assert not list(tmp_path.iterdir())
    evaluate.main([*options, "--allow-trained", "--rerank"])
    assert "re-ranked" in capsys.readouterr().out
    assert [row["reranked"] for row in read(tmp_path)["rows"]] == [False, True] * 6


def test_sysus_protocol_from_a_run_and_from_its_descriptors(smoke_run: Path, tmp_path: Path, capsys) -> None:
    tree = trees.sysu_mm01(tmp_path / "sysu")
    out = [tmp_path / name for name in ("run", "descriptors")]
    evaluate.main(["--run", str(smoke_run), "--data", "sysu_mm01", "--source", str(tree), "--out", str(out[0])])
    rows = read(out[0])["rows"]
    published = [f"{m}-search, single-shot, python galleries" for m in ("all", "indoor")]
    assert [row["setting"] for row in rows] == [*published, *SETTINGS]
    assert all(row["direction"] == "infrared_to_visible" and row["trials"] == 10 for row in rows)
    printed = capsys.readouterr().out
    file = tmp_path / "test.npz"
    extract.main(["--run", str(smoke_run), "--data", "sysu_mm01", "--source", str(tree), "--out", str(file)])
    evaluate.main(["--descriptors", str(file), "--data", "sysu_mm01", "--out", str(out[1])])
    assert read(out[1])["rows"] == rows
    assert printed.splitlines()[1] in capsys.readouterr().out


def test_any_folder_of_pictures_is_described(smoke_run: Path, tmp_path: Path, capsys) -> None:
    tree = trees.own(tmp_path / "own")
    trees.picture(tree / "night" / "infrared" / "stray.jpg", 5, (31, 17))
    file = tmp_path / "own.npz"
    extract.main(["--run", str(smoke_run), "--images", str(tree), "--out", str(file)])
    with np.load(file) as stored:
        arrays = dict(stored)
    assert arrays["names"][0] == "night/infrared/stray.jpg" and len(arrays["names"]) == 17
    assert (
        arrays["identity_texts"][0] == "night"
        and arrays["camera_texts"][0] == "unnamed infrared"
        and arrays["modality"][0] == "infrared"
    )
    assert set(arrays["identities"].tolist()) == {number("night"), 3, 5, 11, 12}
    said = capsys.readouterr().out
    assert "identities: 5 by the folder above the modality's, such as night in night/infrared/stray.jpg" in said
    assert "1 picture without, taken as unnamed visible and unnamed infrared, such as night/infrared/stray.jpg" in said
    np.testing.assert_allclose(np.linalg.norm(arrays["descriptors"], axis=1), 1, rtol=1e-5)
    again = tmp_path / "again.npz"
    chosen = ["--images", str(tree / "train" / "3" / "visible"), "--modality", "visible"]
    extract.main(["--run", str(smoke_run), *chosen, "--out", str(again)])
    with np.load(again) as stored:
        own = arrays["descriptors"][[str(name).startswith("train/3/visible") for name in arrays["names"]]]
        np.testing.assert_allclose(stored["descriptors"], own, atol=1e-5)


def test_mistakes_are_named(smoke_run: Path, tmp_path: Path) -> None:
    run, out = ["--run", str(smoke_run)], ["--out", str(tmp_path / "x.npz")]
    trees.picture(tmp_path / "odd" / "a.png")
    (tmp_path / "text.npz").write_text("no archive")
    for program, options, said in (
        (evaluate, [*run, "--data", "llcm"], "name it with --source"),
        (evaluate, [*run, "--data", "regdb", "--source", str(tmp_path / "nowhere")], "is no folder: expected Visible/"),
        (evaluate, ["--model", str(tmp_path / "nowhere")], "nowhere is no folder: name what hicmd export made"),
        (evaluate, ["--descriptors", str(tmp_path / "text.npz"), "--data", "llcm"], "can't be read as descriptors"),
        (extract, [*run, *out, "--images", str(tmp_path / "odd")], "say which it is with --modality"),
        (extract, [*run, *out, "--images", str(tmp_path / "nowhere")], "is no folder"),
    ):
        with pytest.raises(UserError, match=said):
            program.main(options)
