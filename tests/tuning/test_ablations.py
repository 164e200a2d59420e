"""The ablations of Fig. 4 and Table 2: what each takes away, and a small grid from the command line."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hicmd_tf.commands import ablations
from hicmd_tf.config import load, with_values
from hicmd_tf.errors import UserError
from hicmd_tf.files import write_json
from hicmd_tf.pictures.sheet import save_png
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.training.failure import NotFiniteError
from hicmd_tf.training.run import Metrics
from hicmd_tf.tuning import tuner
from hicmd_tf.tuning.ablations import ABLATIONS, SEED, VARIANT, configuration, table

PLUMBING = Path(__file__).parents[1] / "fixtures" / "plumbing.yaml"


def test_every_ablation_is_a_configuration_of_its_own() -> None:
    config = load("tiny")
    made = [configuration(config, {VARIANT: name, SEED: 5}) for name in ABLATIONS]
    assert len({str(one) for one in made}) == len(ABLATIONS)
    assert all(one.seed == 5 for one in made)
    assert made[0] == with_values(config, {"seed": 5})


def metrics(rank1: float) -> dict[str, dict[str, float]]:
    return {
        "visible_to_infrared": {"rank1": rank1, "mAP": rank1 / 2},
        "infrared_to_visible": {"rank1": rank1 + 0.1, "mAP": rank1 / 4},
    }


def cells(markdown: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines()]


def test_the_table_has_means_and_deviations_over_seeds_and_what_needs_no_learning() -> None:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ABLATIONS}
    found["full"] = [metrics(0.2), metrics(0.22), metrics(0.27)]
    found["original"] = [metrics(0.1)]
    rows = cells(table(found))[2:]
    assert len(rows) == len(ABLATIONS)
    mean, deviation = np.mean([20, 22, 27]), np.std([20, 22, 27], ddof=1)
    assert ["3", f"{mean:.1f} ± {deviation:.1f}"] in [row[4:6] for row in rows]
    assert ["1", "10.0", "5.0", "20.0", "2.5"] in [row[4:] for row in rows]
    assert ["0", "-", "-", "-", "-"] in [row[4:] for row in rows]
    one_way = {name: {"infrared_to_visible": {"rank1": 0.3, "mAP": 0.25}} for name in ("chance", "raw_pixels")}
    found["full"] = [{"infrared_to_visible": {"rank1": 0.5, "mAP": 0.4}, **one_way}]
    rows = cells(table(found))
    assert rows[2][4:] == ["1", "-", "-", "50.0", "40.0"]
    assert rows[-2:] == [[name, *"------", "30.0", "25.0"] for name in ("nearest raw pixels", "chance")]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--seeds", "1,1"], "--seeds: '1,1' is no list of different whole numbers"),
        (["--seeds", "one"], "--seeds: 'one' is"),
        (["--seeds", "1", "--workers", "0"], "--workers: '0' is no"),
        (
            ["--seeds", "1", "--data.synthetic.identities", "20", "--data.held_out", "2"],
            "the table is of the test identities",
        ),
    ],
)
def test_what_cannot_be_is_refused(more: list[str], named: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=named):
        ablations.main(["--config", str(PLUMBING), "--out", str(tmp_path / "out"), *more])


class Quick(tuner.GridModel):
    """Trials that end at once, with a picture each; one whose alpha is 0 meets NaN."""

    def train(self, values: dict[str, Any], folder: RunFolder, report: tuner.Report) -> Metrics:
        config = self.configuration(values)
        folder.begin(config, resume=True)
        if config.networks.feature_learning.alpha == 0:
            raise NotFiniteError("step 1: triplet became nan")
        save_png(Image.new("RGB", (40, 30)), folder.pictures / "final.png")
        found = {**metrics(1 / (1 + config.losses.same)), "steps": 1}
        write_json(folder.metrics, found)
        return found


def test_a_grid_of_three_ablations(
    smoke_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    chosen = {name: ABLATIONS[name] for name in ("full", "without_same", "original_a")}
    monkeypatch.setattr("hicmd_tf.tuning.ablations.ABLATIONS", chosen)
    monkeypatch.setattr(tuner, "GridModel", Quick)
    out = tmp_path / "out"
    arguments = ["--config", str(PLUMBING), "--data.directory", str(smoke_directory), "--seeds", "3", "--out", str(out)]
    ablations.main(arguments)
    printed = capsys.readouterr().out
    assert (out / "ablations.md").read_text() in printed and len(re.findall(r"\| +1 \|", printed)) == 2
    assert "original_a, seed 3: step 1: triplet became nan" in printed
    for trial, name in enumerate(chosen):
        config = load(out / "runs" / f"trial_{trial}" / "config.yaml")
        values = {VARIANT: name, SEED: 3}
        assert config == configuration(load(PLUMBING, {"data.directory": str(smoke_directory)}), values)
    width, height = Image.open(out / "fig4.png").size  # of two pictures, each with its name
    assert width >= 80 and height > 30

    before = {file: file.stat().st_mtime_ns for file in out.glob("runs/*/metrics.json")}
    ablations.main([*arguments, "--resume"])
    assert {file: file.stat().st_mtime_ns for file in before} == before and len(before) == 2
