"""What an evaluation writes, and what of earlier ones stays."""

import json
import shutil
from pathlib import Path
from typing import Any

import drawn_trees as trees
import numpy as np
import pytest

from hicmd_tf.commands import evaluate, extract
from hicmd_tf.config import load
from hicmd_tf.data.datasets import load as load_data
from hicmd_tf.errors import UserError
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.origin import data_hashes
from hicmd_tf.runs.tables import About, write_table
from hicmd_tf.runs.trained import Trained

KINDS = ("json", "csv", "verification.csv", "md")
OWN = (*(f"evaluation.{kind}" for kind in KINDS), "metrics.json")


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def settings(file: Path) -> list[str]:
    return [row["setting"] for row in json.loads(file.read_text())["rows"]]


@pytest.fixture
def run(smoke_run: Path, tmp_path: Path) -> Path:
    """A run that was evaluated, and so says which pictures are its own."""
    folder = RunFolder(shutil.copytree(smoke_run, tmp_path / "run"))
    config = load(folder.config)
    data = load_data(config.data)
    trained = Trained.of(config, data.train)._asdict()
    folder.identities.write_text(json.dumps({**trained, "data_sha256": data_hashes(config, data)}))
    for name in OWN:
        (folder.path / name).write_text("the run's own")
    return folder.path


def test_another_data_set_s_table_has_names_of_its_own_and_permutations_are_used(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree, before = trees.sysu_mm01(tmp_path / "sysu"), contents(run)
    count = {(camera, person): np.tile([1, 2], (10, 1)) for camera in range(1, 7) for person in range(1, 21)}
    there = {place: rows for place, rows in count.items() if (tree / f"cam{place[0]}" / f"{place[1]:04d}").is_dir()}
    file = trees.permutations(tmp_path / "p.mat", there)
    evaluate.main(["--run", str(run), "--data", "sysu_mm01", "--source", str(tree), "--permutations", str(file)])
    new = {name: content for name, content in contents(run).items() if before.get(name) != content}
    assert set(new) == {f"evaluation_sysu_mm01.{kind}" for kind in KINDS}
    assert f"the table is in {run / 'evaluation_sysu_mm01'}.json" in capsys.readouterr().out
    assert "all-search, 10-shot, official galleries" in settings(run / "evaluation_sysu_mm01.json")


def test_the_run_s_own_pictures_have_the_run_s_own_names(run: Path, tmp_path: Path) -> None:
    before = contents(run)
    evaluate.main(["--run", str(run), "--rerank"])
    after = contents(run)
    assert {name for name in after if before.get(name) != after[name]} == set(OWN[:4])
    assert len(settings(run / "evaluation.json")) == 12  # in three settings, both directions, re-ranked and not
    evaluate.main(["--run", str(run), "--trial", "2", "--allow-trained"])
    assert {name for name in contents(run) if name not in after} == {
        f"evaluation_synthetic_vi_trial_2.{kind}" for kind in KINDS
    }
    with pytest.raises(UserError, match=r"is another run's folder, whose metrics\.json stays"):
        other = shutil.copytree(run, tmp_path / "other")
        evaluate.main(["--run", str(run), "--out", str(other)])
    assert contents(other) == contents(run)


def described(file: Path, names: list[str]) -> Path:
    """Descriptors of two people in both modalities."""
    infrared = np.array([False, True] * 2)
    values: dict[str, Any] = {
        "descriptors": np.eye(4)[[0, 0, 1, 1]],
        "identities": np.array([1, 1, 2, 2]),
        "cameras": np.where(infrared, 2, 1),
        "modality": np.where(infrared, "infrared", "visible"),
        "names": np.array(names),
    }
    np.savez(file, **values)
    return file


def test_descriptors_in_a_run_folder_or_beside_another_table_leave_it(run: Path, tmp_path: Path) -> None:
    before = contents(run)
    for place in (run, tmp_path):
        described(place / "one.npz", list("abcd"))
        described(place / "two.npz", list("efgh"))
        for name in ("one", "one", "two"):
            evaluate.main(["--descriptors", str(place / f"{name}.npz"), "--data", "folder"])
    after = contents(run)
    assert all(after[name] == content for name, content in before.items())
    new = {"evaluation_one.json", "evaluation_two.json"}
    assert {name for name in after if name.endswith(".json")} - set(before) == new
    assert {file.name for file in tmp_path.glob("*.json")} == {"evaluation.json", "evaluation_two.json"}


def test_descriptors_of_the_run_s_own_pictures_are_no_evaluation_of_it(run: Path, tmp_path: Path) -> None:
    tree, before = trees.own(tmp_path / "own"), contents(run)
    extract.main(["--run", str(run), "--data", "folder", "--source", str(tree), "--out", str(run / "own.npz")])
    evaluate.main(["--descriptors", str(run / "own.npz"), "--data", "folder"])
    evaluate.main(["--run", str(run), "--data", "folder", "--source", str(tree)])
    after = contents(run)
    assert all(after[name] == content for name, content in before.items())
    assert (run / "evaluation_own.json").is_file() and (run / "evaluation_folder_own.json").is_file()
    assert settings(run / "evaluation_own.json") == settings(run / "evaluation_folder_own.json")


def test_tables_of_other_pictures_or_protocols_never_take_each_others_place(tmp_path: Path) -> None:
    def written(data: str, pictures: str) -> list[str]:
        before = contents(tmp_path)
        write_table([], About(data, pictures, "mine"), tmp_path)
        return sorted(name for name, content in contents(tmp_path).items() if before.get(name) != content)

    def files(name: str) -> list[str]:
        return [f"{name}.csv", f"{name}.json", f"{name}.md"]

    assert written("folder", "a") == files("evaluation")
    assert written("folder", "b") == files("evaluation_mine")
    assert written("folder", "c") == files("evaluation_mine_2")
    assert written("regdb", "c") == files("evaluation_mine_3")
    for data, pictures in (("folder", "a"), ("folder", "b"), ("folder", "c"), ("regdb", "c")):
        assert written(data, pictures) == []
    (tmp_path / "config.yaml").touch()  # a run's folder, whose own table is none of these
    assert written("regdb", "a") == files("evaluation_mine_4")
