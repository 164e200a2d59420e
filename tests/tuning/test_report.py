"""What a search reports of its trials."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hicmd_tf.config import Config, load, value_of
from hicmd_tf.tuning import report
from hicmd_tf.tuning.report import Outcome, importance, write_report
from hicmd_tf.tuning.space import Space, configured, space_of

UNLEARNED = {"chance": 0.2, "raw_pixels": 0.25, "colour_histogram": 0.21}


@pytest.fixture(scope="module")
def config() -> Config:
    return load("tiny")


@pytest.fixture(scope="module")
def space(config: Config) -> Space:
    return space_of(config)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "TREES", 40)


def outcomes(config: Config, space: Space, trials: int) -> list[Outcome]:
    """Trials whose objective falls with the rate of HFL and depends on nothing else; the last one failed."""
    rng = np.random.default_rng(7)
    found = []
    for n in range(trials):
        shares = (
            rng.random(len(space))
            if n
            else np.log([s.first / s.low for s in space.values()]) / np.log([s.high / s.low for s in space.values()])
        )
        values = {k: s.low * (s.high / s.low) ** x for (k, s), x in zip(space.items(), shares, strict=True)}
        trained = configured(config, values)
        exact = {key: value_of(trained, key) for key in space}
        failed = n == trials - 1
        objective = None if failed else float(0.3 - 0.1 * np.log10(exact["optimisers.feature_rate"] / 0.03))
        found.append(Outcome(f"{n:02d}", objective, trained, exact, "cross became nan at step 3" if failed else ""))
    return found


def test_trials_stand_beside_what_needs_no_learning_and_those_at_chance_are_counted(
    config: Config, space: Space, tmp_path: Path
) -> None:
    found = outcomes(config, space, 5)
    low = [one._replace(objective=0.19) if one.name == "02" else one._replace(objective=0.3) for one in found]
    said = "mAP %: chance 20.00, nearest raw pixels 25.00, nearest colour histogram 21.00"
    for objectives, judged in ((low, "; 1 of 5 trials not above chance"), ([low[0]], "")):
        text = write_report(tmp_path, objectives, space, 1, UNLEARNED)
        assert f"{said}{judged}\n" in text and f"{said}{judged}\n" in (tmp_path / "trials.md").read_text()


def test_the_setting_that_matters_is_found_and_few_trials_say_nothing(config: Config, space: Space) -> None:
    done = [one for one in outcomes(config, space, 31) if one.objective is not None]
    found = importance(done, space, 1)
    assert found[0].setting == "optimisers.feature_rate"
    assert found[0].correlation < -0.9 and found[0].predicted > 0.3
    assert found[0].permutation > 5 * found[1].permutation
    assert importance(done[:4], space, 1) == []
    flat = importance([one._replace(objective=0.2) for one in done], space, 1)
    assert all(np.isfinite(one.correlation) and one.permutation == pytest.approx(0) for one in flat)


def test_the_report_is_files_best_first_and_best_is_a_whole_configuration(
    config: Config, space: Space, tmp_path: Path
) -> None:
    found = outcomes(config, space, 9)
    text = write_report(tmp_path, found, space, 1, UNLEARNED)
    best = max(found[:-1], key=lambda one: one.objective or 0)
    assert load(tmp_path / "best.yaml") == best.config
    assert f"best: trial {best.name}" in text and "importance by 8 trials" in text
    written = ("best.yaml", "importance.csv", "trials.csv", "trials.md", "trials.png")
    assert sorted(file.name for file in tmp_path.iterdir()) == list(written)
    assert np.asarray(Image.open(tmp_path / "trials.png").convert("L")).std() > 5  # something is drawn
    table = list(csv.DictReader(io.StringIO((tmp_path / "trials.csv").read_text())))
    objectives = [float(row["objective"]) for row in table[:-1]]
    assert objectives == sorted(objectives, reverse=True)
    assert [row["rank"] for row in table] == [*"12345678", ""] and table[-1]["reason"] == "cross became nan at step 3"
    assert float(table[0]["losses.cross"]) == pytest.approx(best.values["losses.cross"], rel=1e-5)
    lines = (tmp_path / "trials.md").read_text().splitlines()
    assert len(lines) == 13 and "failed" in lines[10] and f" {best.name} |" in lines[2]


def test_a_search_in_which_all_failed_says_why(config: Config, space: Space, tmp_path: Path) -> None:
    failed = outcomes(config, space, 1)
    assert "cross became nan" in write_report(tmp_path, failed, space, 1, UNLEARNED)
    assert not (tmp_path / "best.yaml").exists()
    assert "none was begun" in write_report(tmp_path, [], space, 1, UNLEARNED)
