"""The ablations of Fig. 4 and Table 2: what each takes away, and a table of them from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from finished import Processes
from PIL import Image

from hicmd_tf.commands import ablations
from hicmd_tf.config import load, with_values
from hicmd_tf.errors import UserError
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.training import apart
from hicmd_tf.tuning.ablations import ABLATIONS, rows_of

FIXTURES = Path(__file__).parents[1] / "fixtures"
SMOKE, PLUMBING = FIXTURES / "smoke.yaml", FIXTURES / "plumbing.yaml"
EXPECTED = {"full": 0.4, "without_same": 0.3, "original_a": 0.2}


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    found = Processes(EXPECTED)
    monkeypatch.setattr(apart, "_start", found)
    return found


@pytest.mark.parametrize("name", ["tiny", "paper"])
def test_every_row_is_a_configuration_of_its_own_of_what_its_words_say(name: str) -> None:
    made = {row.name: row.config for row in rows_of(name, {}, [*ABLATIONS])}
    assert [*made] == [*ABLATIONS] and len({str(one) for one in made.values()}) == len(ABLATIONS)
    assert made["full"] == load(name)
    for row, config in made.items():
        words = ABLATIONS[row]
        assert (config.sampling.groups == "original") == (words.sampling == "original")
        assert (config.losses.triplet == 0) == (words.losses == "CE")
        alpha = config.networks.feature_learning.alpha
        assert {0.0: "A", 1.0: "P"}.get(alpha, "A + P") == words.features
        assert (config.optimisers.alpha_rate == 0) == (words.features != "A + P")
        for loss in ("same", "cross", "adversarial"):
            assert (getattr(config.losses, loss) == 0) == (loss == words.removed)


def test_settings_of_the_command_line_hold_for_all_rows() -> None:
    values = {"networks.resnet_weights": "weights.h5", "losses.same": 3.0}
    rows = rows_of("base", values, [*ABLATIONS])
    assert {row.config.networks.resnet_weights for row in rows} == {"weights.h5"}
    assert {row.name: row.config.losses.same for row in rows if row.config.losses.same != 3} == {"without_same": 0}


def test_an_embedding_network_is_refused() -> None:
    with pytest.raises(UserError, match="method is embedding: the rows leave out losses"):
        rows_of("tiny_strong", {}, ["full"])


REFUSED = [
    (["--seeds", "1,1"], "--seeds: '1,1' is no list of different whole numbers"),
    (["--seeds", "one"], "--seeds: 'one' is"),
    (["--seed", "1"], "--seed 1 is of one run: name the seeds of all by --seeds"),
    (["--workers", "0"], "--workers: '0' is not a count"),
    (["--rows", "full,orignal"], r"there is no row orignal \(nearest: original\): the rows are full, without_same, wi"),
    (["--rows", "full,full"], "a row is named twice in full, full"),
    (["--data.synthetic.identities", "20", "--data.held_out", "2"], "the table is of the test identities"),
    (["--config", str(PLUMBING)], "sampling.groups is original, and full is the row of alternate: leave that out"),
    (["--losses.triplet", "0"], "losses.triplet is 0, and full is the row of CE . triplet"),
    (["--losses.same", "0"], "full and without_same are the same with this configuration"),
    (
        ["--rows", "original", "--sampling.groups", "paper"],
        "--sampling.groups: the rows that are asked for set it them",
    ),
    (["--rows", "without_same", "--losses.same", "3"], "--losses.same: the rows that are asked for set it themselves"),
]


@pytest.mark.parametrize(("more", "said"), REFUSED)
def test_what_cannot_be_is_refused_before_anything_is_trained(
    more: list[str], said: str, processes: Processes, tmp_path: Path
) -> None:
    given = more if "--config" in more else ["--config", str(SMOKE), *more]
    with pytest.raises(UserError, match=said):
        ablations.main(["--out", str(tmp_path / "out"), *given])
    assert processes.trained == [] and not (tmp_path / "out").exists()


def test_the_table_has_words_and_figures_and_grows_by_rows_and_seeds(
    smoke_directory: Path, tmp_path: Path, processes: Processes, capsys: Any
) -> None:
    out = tmp_path / "out"
    given = ["--config", str(SMOKE), "--data.directory", str(smoke_directory), "--out", str(out)]

    def rows(*more: str) -> dict[str, list[str]]:
        ablations.main([*given, *more])
        assert (out / "comparison.csv").is_file() and (out / "comparison.png").is_file()
        lines = [line.strip("|").split("|") for line in (out / "comparison.md").read_text().splitlines()]
        first = [[cell.strip() for cell in line] for line in lines[2 : lines.index([""], 3)]]
        assert first[0] == ["", "sampling", "loss", "feature", "removed", "seeds", "steps", *first[0][7:]]
        return {line[0]: line[1:] for line in first[2:]}

    found = rows("--rows", "full, without_same", "--seeds", "3")
    assert processes.trained == ["full_3", "without_same_3"]
    assert found["full"][:7] == ["alternate", "CE + triplet", "A + P", "-", "3", "6", "43.0"]
    assert found["without_same"][3:7] == ["same", "3", "6", "33.0"] and found["chance"][:6] == ["-"] * 6
    assert "full is best by mAP, 43.0 over both directions" in capsys.readouterr().out
    width, height = Image.open(out / "fig4.png").size  # of two pictures, each with its name
    assert width >= 80 and height > 30
    (row, _) = json.loads((out / "comparison.json").read_text())["rows"]
    assert (row["name"], row["sampling"], row["runs"][0]["seed"]) == ("full", "alternate", 3)
    run = RunFolder(out / "runs" / "without_same_3").open()
    assert with_values(run, {"losses.same": 20.0}) == RunFolder(out / "runs" / "full_3").open()

    found = rows("--rows", "full,without_same,original_a", "--seeds", "3,4", "--resume")
    assert processes.trained[2:] == ["original_a_3", "full_4", "without_same_4", "original_a_4"]
    assert found["full"][4:7] == ["3, 4", "6", "43.5 ± 0.7"]
    assert found["original_a"][:7] == ["original", "CE + triplet", "A", "-", "3, 4", "6", "23.5 ± 0.7"]

    with pytest.raises(UserError, match="full_3 is a run: name a configuration"):
        ablations.main(["--config", str(out / "runs" / "full_3"), "--out", str(tmp_path / "other")])
