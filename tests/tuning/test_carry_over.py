"""`hicmd carry-over`: who is asked for, figures that `hicmd evaluate` has too, what is kept, and what is refused."""

import contextlib
import csv
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import drawn_trees as trees
import numpy as np
import pytest
from finished import WAYS, figures, finish

from hicmd_tf import commands
from hicmd_tf.config import Config, load, with_values
from hicmd_tf.data.samples import Samples
from hicmd_tf.drawn_people.encode import all_requests, encode_all
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.evaluation import Row
from hicmd_tf.retrieval.report import COLUMNS
from hicmd_tf.retrieval.stored import write_descriptors
from hicmd_tf.runs.checkpoints import write
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.tuning import carry_over as module
from hicmd_tf.tuning import carry_over_table as table
from hicmd_tf.tuning.carry_over_table import Carried
from hicmd_tf.tuning.comparison import Contender
from hicmd_tf.visualize.carried_over import carried_over

FIXTURES = Path(__file__).parents[1] / "fixtures"
SMOKE, EMBEDDING = FIXTURES / "smoke.yaml", FIXTURES / "smoke_embedding.yaml"
KINDS = ("as smoke", "clutter 1", "all of these")
HASHES = {"train": "1" * 64, "test": "2" * 64}


def made(run: Path, config: Config) -> RunFolder:
    """A finished run of initial weights."""
    from hicmd_tf.training.experiment import build_model

    folder = finish(run, config, 0.5, HASHES)
    model = build_model(config, classes=6)
    write(folder.checkpoints, config.training.steps, model.state, notes={})
    return folder


@pytest.fixture(scope="module")
def runs(smoke_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hi-CMD, and two seeds of an embedding network for pictures of another size, which no test may change."""
    folder = tmp_path_factory.mktemp("runs")
    made(folder / "hicmd", load(SMOKE, {"data.directory": str(smoke_directory)}))
    config = load(EMBEDDING, {"data.directory": str(smoke_directory), "data.height": 48})
    for seed in (5, 6):
        made(folder / f"plain_{seed}", with_values(config, {"seed": seed}))
    return folder


@pytest.fixture
def call(smoke_directory: Path, tmp_path: Path) -> Any:
    """Calls the command in a folder of its own, on the fewest people unless none are drawn; the JSON that it writes."""

    def main(*words: object) -> dict[str, Any]:
        few = [] if "--no-drawn" in words else ["--config", SMOKE, "--data.directory", smoke_directory]
        given = ["carry-over", *words, *few, "--out", tmp_path / "out"]
        with contextlib.chdir(tmp_path):
            commands.main([str(word) for word in given])
        return json.loads((tmp_path / "out" / "carry_over.json").read_text())

    return main


# ----------------------------------------------------------------------------------------------------- who is asked for


def test_one_thing_is_drawn_otherwise_in_each_column_and_all_of_them_in_the_last() -> None:
    first, *others, last = module.drawn_columns(load("tiny", {"data.synthetic.seed": 2}), "tiny")
    base = first.config.data.synthetic
    assert first.name == "as tiny" and base.identities == 60 and base.images_per_modality == 6 and base.seed == 2
    changed = {}
    for column in others:
        own = column.config.data.synthetic
        ((key, value),) = [(key, value) for key, value in vars(own).items() if value != vars(base)[key]]
        assert column.otherwise == {key: value}
        changed[key] = value
    assert changed == {
        "yaw_range": pytest.approx(math.pi),
        "albedo_follows_lightness": 0.0,
        "framing": 1.0,
        "clutter": 1.0,
        "exposure": 0.0,
        "noise": 12.0,
        "spectrum": "thermal",
    }
    assert vars(last.config.data.synthetic) == {**vars(base), **changed} and last.name == "all of these"


@pytest.mark.parametrize(
    ("config", "values", "without"),
    [
        ("small", {}, {"yaw", "albedo"}),
        ("tiny", {"data.synthetic.spectrum": "thermal"}, {"thermal", "albedo"}),
        ("tiny", {"data.synthetic.exposure": 0.0}, set()),
    ],
)
def test_what_the_configuration_has_so_already_is_left_out_and_said(
    config: str, values: dict[str, Any], without: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = {
        column.file.removeprefix("drawn_"): column for column in module.drawn_columns(load(config, values), config)
    }
    everything = {"same", "yaw", "albedo", "framing", "clutter", "exposure", "noise", "thermal", "all"}
    assert found.keys() == everything - without
    said = capsys.readouterr().err
    assert all(kind in said for kind in without) and ("left out" in said) == bool(without)
    others = [column.config.data.synthetic for kind, column in found.items() if kind != "same"]
    assert found["same"].config.data.synthetic not in others


# ---------------------------------------------------------------------------------------------------------- the figures


def rows_of(folder: Path) -> dict[str, Any]:
    """The first row of each direction that `hicmd evaluate` wrote there."""
    found: dict[str, Any] = {}
    for row in json.loads((folder / "evaluation.json").read_text())["rows"]:
        found.setdefault(row["direction"], row)
    return found


def drawn_apart(column: dict[str, Any], size: tuple[int, int]) -> Samples:
    """A column's people, drawn here."""
    from hicmd_tf.config.schema import SyntheticConfig

    config = SyntheticConfig(**column["synthetic"])
    records = sorted(encode_all(config, size, all_requests(config)), key=lambda one: one["name"])
    names = [one["name"] for one in records]
    columns = {key: np.array([one[key] for one in records]) for key in ("identity", "modality", "camera")}
    infrared = columns["modality"] == "infrared"
    return Samples([one["image"] for one in records], names, columns["identity"], infrared, columns["camera"])


def test_every_run_s_figures_are_those_of_evaluate(
    runs: Path, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = module.drawn_columns
    monkeypatch.setattr(module, "drawn_columns", lambda *of: [one for one in columns(*of) if one.name in KINDS])
    tree = trees.regdb(tmp_path / "tree", people=8)
    found = call(runs / "hicmd", runs / "plain_5", "--on", "regdb=tree", "--no-hand-crafted")
    assert [*found["people"]] == [*KINDS, "regdb trial 1"]
    for row, folder in zip(found["rows"], (runs / "hicmd", runs / "plain_5"), strict=True):
        (known,) = [run["found"] for run in row["runs"]]
        opened = OpenedRun(folder)
        for name in KINDS:
            people = drawn_apart(found["people"][name], (opened.config.data.height, opened.config.data.width))
            assert len(people) == 6 * 4
            write_descriptors(tmp_path / "x.npz", opened.model.descriptors(people), people)
            out = tmp_path / f"{row['name']} {name}"
            commands.main(
                ["evaluate", "--descriptors", str(tmp_path / "x.npz"), "--data", "synthetic_vi", "--out", str(out)]
            )
            assert known[name] == rows_of(out)
        out = tmp_path / f"{row['name']} regdb"
        words = ["evaluate", "--run", folder, "--data", "regdb", "--source", tree, "--out", out]
        commands.main([str(word) for word in words])
        assert known["regdb trial 1"] == rows_of(out)
    assert [*found["without_learning"]] == ["chance", "raw pixels 32 x 16", "raw pixels 48 x 16"]


def test_the_page_has_a_row_for_all_seeds_and_the_files_have_each(
    runs: Path, call: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("skimage", reason="pip install 'hicmd-tf[baselines]'")
    found = call(runs / "plain_6", runs / "plain_5")
    printed = capsys.readouterr().out
    (row,) = found["rows"]
    assert (row["name"], [run["seed"] for run in row["runs"]]) == ("plain", [6, 5])
    assert [*found["without_learning"]] == ["chance", "raw pixels", "HOG"]
    page = (tmp_path / "out" / "carry_over.md").read_text()
    assert printed.startswith(page) and "the same people, drawn with spectrum thermal, not near_infrared" in page
    lines = list(csv.DictReader(io.StringIO((tmp_path / "out" / "carry_over.csv").read_text())))
    for column in found["people"]:
        for way in WAYS:
            each = [run["found"][column][way]["mean"]["mAP"] for run in row["runs"]]
            mean = [float(x["mAP"]) for x in lines if (x["row"], x["people"], x["direction"]) == ("plain", column, way)]
            assert mean == each and row["found"][column]["mean"][way]["mAP"] == pytest.approx(np.mean(each))
            chance = found["without_learning"]["chance"][column][way]
            assert all(run["found"][column][way]["chance"] == pytest.approx(chance) for run in row["runs"])
    assert (tmp_path / "out" / "carry_over.png").stat().st_size > 0


def row_of(way: str, value: float, low: float) -> Row:
    """One evaluation, whose chance is a tenth."""
    mean, chance = dict.fromkeys(COLUMNS, value), dict.fromkeys(COLUMNS, 0.1)
    between = {name: [low, 1.0] for name in ("rank1", "mAP")}
    return Row("all", way, False, 1, 9, 0, mean, dict.fromkeys(COLUMNS, 0.0), 3, chance, between)


def test_a_star_marks_what_is_not_above_chance_for_any_seed() -> None:
    def column(*values: tuple[float, float]) -> dict[int, dict[str, Row]]:
        return {seed: {WAYS[0]: row_of(WAYS[0], *pair)} for seed, pair in enumerate(values)}

    kinds = {"a": column((0.3, 0.05), (0.5, 0.08)), "b": column((0.3, 0.05), (0.5, 0.2))}
    found = {seed: {kind: of[seed] for kind, of in kinds.items()} for seed in (0, 1)}
    row = Carried("mine", "somebody", {0: "x", 1: "y"}, found)
    simple = {"chance": {"a": figures(0.1), "b": figures(0.1, WAYS[:1])}}
    one, other = (table.table([row], simple, ["a", "b"], way, "rank1") for way in WAYS)
    assert one[1:] == [["chance", "-", "10.0", "10.0"], ["mine", "0, 1", "40.0 ± 14.1*", "40.0 ± 14.1"]]
    assert other[1:] == [["chance", "-", "10.0", "-"], ["mine", "0, 1", "-", "-"]]
    assert table.stars([row], ["a", "b"]) == {(WAYS[0], "mine", "a")}
    drawn = carried_over(table.shares([row], simple, ["a", "b"]), table.stars([row], ["a", "b"]))
    assert "mine: a 40.0* %, b 40.0 %" in drawn.alternative and "chance: a 10.0 %" in drawn.alternative
    page = table.as_markdown([row], simple, {"a": "some", "b": "others"})
    assert "of runs alone, for rows that need no learning have no interval" in page
    assert "visible -> infrared" in page and "* a: some\n* b: others\n" in page


def test_folders_that_runs_were_trained_on_are_called_as_columns_are(smoke_config: Config, tmp_path: Path) -> None:
    settings = {"data.name": "folder", "data.source": str(tmp_path / "people")}
    run = finish(tmp_path / "mine", with_values(smoke_config, settings), 0.5, HASHES)
    run.identities.write_text(json.dumps({"people": "folder", "identities": [1, 2], "earlier": {"folder": [3]}}))
    columns = module.folder_columns(smoke_config, [("folder", str(tmp_path / "people2"))], {})
    row = Contender("mine", "mine", run.open(), {5: run}, False)
    assert module._trained(row, columns) == "2 people of folder people; before on 1 person of folder"
    assert columns[0].name == "folder people2"


# --------------------------------------------------------------------------------------------------------- what is kept


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many pictures each evaluation was of."""
    found: list[int] = []
    evaluate = module.evaluate

    def counting(descriptors: Any, samples: Samples, searches: Any) -> list[Row]:
        if len(found) == 3:
            found.append(0)
            raise KeyboardInterrupt
        found.append(len(samples))
        return evaluate(descriptors, samples, searches)

    monkeypatch.setattr(module, "evaluate", counting)
    yield found


def test_what_was_stopped_goes_on_and_what_is_there_is_not_made_again(
    runs: Path, call: Any, evaluated: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        call(runs / "plain_5", "--no-hand-crafted")
    assert not (tmp_path / "out" / "carry_over.json").exists()
    first = call(runs / "plain_5", "--no-hand-crafted")
    assert evaluated == [24] * 3 + [0] + [24] * 6
    monkeypatch.setattr(module, "simple_figures", None)
    monkeypatch.setattr(module, "everyone", None)
    assert call(runs / "plain_5", "--no-hand-crafted") == first and len(evaluated) == 10
    kept = tmp_path / "out" / "results" / "plain_5" / "drawn_same.json"
    kept.write_text(kept.read_text().replace('"weights_sha256": "', '"weights_sha256": "0'))
    monkeypatch.undo()
    assert call(runs / "plain_5", "--no-hand-crafted") == first
    kept.write_text("{")
    with pytest.raises(UserError, match=r"drawn_same\.json: is not JSON"):
        call(runs / "plain_5", "--no-hand-crafted")


# ------------------------------------------------------------------------------------------------------ what is refused

ASKS = ("PLAIN", "--no-hand-crafted")
REFUSED = [
    (("tiny",), "tiny: is not a run folder, it has no config.yaml"),
    (("PLAIN", "PLAIN"), "are of one configuration and seed: leave one of them out"),
    ((*ASKS, "--data.synthetic.seed", 777), "plain_5: the run knows drawn people of seed 777: ask for others"),
    (("LATER", "--data.synthetic.seed", 3), "later: the run knows drawn people of seed 3: ask for others"),
    (
        ("LATER", "--on", "regdb=tree"),
        r"later on regdb trial 1: 2 of the 4 identities were trained on, the first is 2: ",
    ),
    (("UNFINISHED",), "unfinished: has no metrics.json, so it is not finished"),
    ((*ASKS, "--on", "regbd=tree"), r"'regbd=tree' is not NAME=DIR with a NAME of regdb, .* \(nearest: regdb\)"),
    ((*ASKS, "--on", "people=tree"), "folder: it is the kind of data set in DIR, folder for your own"),
    ((*ASKS, "--on", "regdb"), "'regdb' is not NAME=DIR"),
    ((*ASKS, "--on", "synthetic_vi=x"), "'synthetic_vi=x' is not NAME=DIR"),
    ((*ASKS, "--on", "regdb=tree", "--on", "regdb=tree"), "--on regdb=tree is given twice"),
    ((*ASKS, "--on", "llcm=tree", "--data.trial", 2), "--data.trial 2: no data set that --on names reads it"),
    ((*ASKS, "--on", "regdb=nothing"), "nothing is no folder"),
    ((*ASKS, "--data.trial", 2), "--data.trial 2 is of data sets in folders: name one with --on"),
    ((*ASKS, "--no-drawn"), "--no-drawn leaves nobody to ask for"),
    ((*ASKS, "--no-drawn", "--data.synthetic.noise", 3), "--data.synthetic.noise is of drawn people, which --no-drawn"),
    ((*ASKS, "--losses.same", 3), "--losses.same 3: nothing that hicmd carry-over does depends on it"),
    ((*ASKS, "--data.synthetic.identities", 30), "--data.synthetic.identities 30: nothing that hicmd carry-over does"),
    ((*ASKS, "--data.test_identities", 12), "data.test_identities is 12: data.synthetic.identities is 12 and some"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_mistakes_are_refused_before_anything_is_computed(
    words: tuple[object, ...], said: str, runs: Path, call: Any, smoke_config: Config, tmp_path: Path
) -> None:
    trees.regdb(tmp_path / "tree", people=8)
    places = {"PLAIN": runs / "plain_5", "LATER": tmp_path / "later", "UNFINISHED": tmp_path / "unfinished"}
    later = finish(places["LATER"], smoke_config, 0.5, HASHES)
    known = {"people": "synthetic_vi, seed 777", "identities": [1]}
    earlier = {"synthetic_vi, seed 3": [1, 2], "regdb": [2, 3, 4]}
    later.identities.write_text(json.dumps({**known, "earlier": earlier}))
    finish(places["UNFINISHED"], smoke_config, 0.5, HASHES).metrics.unlink()
    with pytest.raises(UserError, match=said) as error:
        call(*(places.get(str(word), word) for word in words))
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()


def test_another_folder_is_left_alone(runs: Path, call: Any, smoke_config: Config, tmp_path: Path) -> None:
    finish(tmp_path / "out", smoke_config, 0.9, HASHES)
    with pytest.raises(UserError, match="out exists and holds something else"):
        call(runs / "plain_5")


def test_photographs_alone_are_asked_for_by_their_own_settings(runs: Path, call: Any, tmp_path: Path) -> None:
    trees.regdb(tmp_path / "tree", people=8, trial=2)
    for name in ("one", "two"):
        trees.own(tmp_path / name / "pictures")
    on = [word for name in ("one", "two") for word in ("--on", f"folder={name}/pictures")]
    words = ["--no-drawn", "--no-hand-crafted", "--on", "regdb=tree", *on, "--data.trial", 2]
    found = call(runs / "plain_5", *words)
    assert [*found["people"]] == ["regdb trial 2", "folder pictures", "folder pictures 2"]
    assert found["people"]["folder pictures 2"]["source"] == "two/pictures"
    pattern = "(?P<split>train|test)/(?P<identity>[^/]+)/(?P<modality>[^/]+)/(?P<camera>cam.)"
    assert call(runs / "plain_5", *words, "--data.pattern", pattern)["people"] == found["people"]
