"""`hicmd compare`: the tables' arithmetic, who is a row, what is trained, and what is refused before anything is."""

import csv
import io
import itertools
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from finished import WAYS, Processes, figures, finish
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.commands import compare as command
from hicmd_tf.commands import sample_folder
from hicmd_tf.config import Config, with_values
from hicmd_tf.errors import INTERRUPTED, UserError
from hicmd_tf.runs.costs import Costs
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.progress import Point, read_progress, until
from hicmd_tf.training import apart
from hicmd_tf.tuning import comparison
from hicmd_tf.tuning import comparison_table as table
from hicmd_tf.tuning.comparison_table import Compared, Found
from hicmd_tf.visualize.progress import progress, ticks

FIXTURES = Path(__file__).parents[1] / "fixtures"
SMOKE, EMBEDDING = FIXTURES / "smoke.yaml", FIXTURES / "smoke_embedding.yaml"

# ------------------------------------------------------------------------------------------------------- the arithmetic


def made(seed: int, *evaluations: tuple[int, float, float], timed: bool = True, ways: Sequence[str] = WAYS) -> Found:
    """A run of evaluations (step, seconds, every figure)."""
    points = [Point(step, seconds if timed else None, figures(value, ways)) for step, seconds, value in evaluations]
    costs = Costs(
        [(step, seconds) for step, seconds, _ in evaluations], seed << 30, None, 2.0, {"describing": 1234, "trained": 5}
    )
    return Found(
        seed, f"run_{seed}", points[-1].figures, points[-1].step, costs if timed else None, points, ["a machine"]
    )


SLOW = Compared(
    "slow",
    [
        made(1, (0, 0.0, 0.0), (5, 50.0, 0.2), (10, 100.0, 0.3)),
        made(2, (0, 0.0, 0.0), (5, 70.0, 0.4), (10, 140.0, 0.6)),
    ],
)
FAST = Compared("fast", [made(1, (0, 0.0, 0.1), (20, 40.0, 0.4), (40, 61.0, 0.5))])


def test_means_and_deviations_are_those_of_a_sample_over_seeds() -> None:
    head, *lines = table._main([SLOW, FAST], {"chance": figures(0.01)})
    cells = [dict(zip(head[:4], line[:4], strict=True)) for line in lines]
    rank1 = "visible -> infrared R-1"
    assert cells[0] == {"": "chance", "seeds": "-", "steps": "-", rank1: "1.0"}
    assert cells[1] == {"": "slow", "seeds": "1, 2", "steps": "10", rank1: "45.0 ± 21.2"}  # 15 √2
    assert cells[2] == {"": "fast", "seeds": "1", "steps": "40", rank1: "50.0"}
    assert lines[1][-5:] == ["120.0 ± 28.3", "2.00", "2.00 ± 0.00", "1,234", "5"]  # of memory the most
    assert lines[2][-5:] == ["61.0", "1.00", "2.00", "1,234", "5"]


def test_equal_times_are_those_of_the_row_that_trains_for_the_shortest() -> None:
    found = table.after_seconds([SLOW, FAST])
    assert found is not None and (found.limit, found.by) == (61.0, "fast")
    assert [point.step for point in found.points["slow"]] == [5, 0]  # the second had its step 5 after 70 s
    assert [point.step for point in found.points["fast"]] == [40]
    _, slow, fast = table._at(found, WAYS)
    assert slow[:5] == ["slow", "2", "0 to 5", "25.0 ± 35.4", "10.0 ± 14.1"] and fast[4] == "50.0"


def test_equal_steps_are_those_of_the_row_that_ends_first() -> None:
    found = table.after_steps([SLOW, FAST])
    assert (found.limit, found.by) == (10, "slow")
    assert [point.step for point in found.points["slow"]] == [10, 10]
    assert [point.step for point in found.points["fast"]] == [0]


def test_equal_steps_are_a_table_only_where_they_differ() -> None:
    assert "After equal steps" in table.as_markdown([SLOW, FAST], {}, "all", "4 x 4")
    same = table.as_markdown([SLOW, SLOW._replace(name="other")], {}, "all", "4 x 4")
    assert "After equal steps" not in same and "After equal times" in same


@given(shortest=st.floats(1e-3, 1e6), factor=st.floats(2.5, 1e6))
def test_ticks_lie_all_over_the_range_and_can_be_read(shortest: float, factor: float) -> None:
    written, fine = ticks(shortest, shortest * factor)
    assert len(written) <= 10 and set(written) <= set(fine)
    every = [shortest, *written, shortest * factor]
    assert every == sorted(every)
    assert all(after < 10.01 * before for before, after in itertools.pairwise(every))


def test_seconds_have_the_ticks_that_one_expects() -> None:
    assert ticks(3.1, 120)[0] == [5, 10, 20, 50, 100]
    assert ticks(0.4, 12_000)[0] == [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000]
    assert ticks(0.4, 200_000)[0] == [1, 10, 100, 1000, 10_000, 100_000]
    assert ticks(30, 120)[1] == [30, 40, 50, 60, 70, 80, 90, 100]


def test_a_row_without_times_has_none_and_is_named() -> None:
    old = Compared("old", [made(1, (5, 1.0, 0.2), timed=False)])
    assert table.after_seconds([old]) is None
    found = table.after_seconds([old, FAST])
    assert found is not None and found.points["old"] == []
    text = table.as_text([old, FAST], {}, "everyone", "4 x 4")
    assert "old: begun by an earlier version" in text and "raw pixels" not in text
    assert table._at(found, WAYS)[1] == ["old", "0", *["-"] * 10]
    assert table.as_json([old], {}, "everyone")["after_equal_seconds"] is None


def test_every_seed_can_be_read() -> None:
    each = table._each([SLOW, FAST])
    assert [line[1:4] for line in each[1:]] == [["1", "10", "30.0"], ["2", "10", "60.0"], ["1", "40", "50.0"]]
    assert "Each seed" in table.as_markdown([SLOW], {}, "everyone", "4 x 4")
    assert "Each seed" not in table.as_markdown([FAST], {}, "everyone", "4 x 4")
    lines = list(csv.DictReader(io.StringIO(table.as_csv([SLOW, FAST], {"hog": figures(0.7)}))))
    assert [(line["row"], line["seed"]) for line in lines[::2]] == [
        ("HOG", ""),
        ("slow", "1"),
        ("slow", "2"),
        ("fast", "1"),
    ]
    assert [float(line["mAP"]) for line in lines[::2]] == [0.7, 0.3, 0.6, 0.5]
    found = table.as_json([SLOW, FAST], {}, "everyone")["rows"]
    assert [run["training_seconds"] for run in found[0]["runs"]] == [100.0, 140.0]
    assert found[0]["deviation"]["infrared_to_visible"]["mINP"] == pytest.approx(0.15 * 2**0.5)
    assert found[1]["deviation"] is None
    json.dumps(table.as_json([SLOW, FAST], {}, "everyone"), allow_nan=False)
    curve = list(csv.DictReader(io.StringIO(table.curves([SLOW, FAST]))))
    assert len(curve) == 2 * 9 and curve[-1]["training_seconds"] == "61.0"


def test_one_direction_is_enough() -> None:
    one = Compared("one", [made(1, (0, 0.0, 0.1), (4, 2.0, 0.2), ways=WAYS[1:])])
    assert "visible -> infrared" not in table.as_markdown([one], {}, "everyone", "4 x 4")
    assert progress({"one": [run.points for run in one.runs]}, {}).png


def test_other_machines_are_named() -> None:
    other = Compared("other", [FAST.runs[0]._replace(places=["a card"])])
    assert "not of one machine and engine: fast: a machine; other: a card" in table.as_text(
        [FAST, other], {}, "all", "4 x 4"
    )


def test_runs_that_were_trained_beside_others_are_named() -> None:
    costs = FAST.runs[0].costs
    assert costs is not None and "beside" not in costs.words()["training"]
    beside = FAST.runs[0]._replace(costs=costs._replace(beside=True))
    rows = [SLOW, Compared("beside", [FAST.runs[0], beside])]
    assert "beside: seconds and ms were taken beside other runs" in table.as_text(rows, {}, "all", "4 x 4")
    assert "beside other runs" not in table.as_text([SLOW, FAST], {}, "all", "4 x 4")
    lines = csv.DictReader(io.StringIO(table.as_csv(rows, {"hog": figures(0.7)})))
    assert [line["beside"] for line in lines][::2] == ["", "False", "False", "False", "True"]
    assert beside.costs is not None and "beside other runs" in beside.costs.words()["training"]


def row(*runs: Sequence[tuple[int, float]]) -> Compared:
    """A row "it" of runs, each of evaluations (step, every figure)."""
    return Compared("it", [made(seed, *((step, 1.0, value) for step, value in of)) for seed, of in enumerate(runs)])


@pytest.mark.parametrize(
    ("runs", "rises", "said"),
    [
        # Gains since step 6, the last evaluation of the first 7.5 of 10 steps: 0.1 and 0.2, deviation 0.07
        (([(0, 0), (6, 0.1), (8, 0.2), (10, 0.2)], [(6, 0.1), (10, 0.3)]), True, "+15.0 ± 7.1 since step 6, more than"),
        # 0.1 and 0.3: deviation 0.14; then 0.0 and 0.2, as much as their deviation is more
        (([(5, 0.1), (10, 0.2)], [(6, 0.1), (10, 0.4)]), True, "and still rises: +20.0 ± 14.1 since step 5 to 6, more"),
        (
            ([(6, 0.2), (10, 0.2)], [(6, 0.1), (10, 0.3)]),
            False,
            "and has stopped rising: +10.0 ± 14.1 since step 6, no",
        ),
        (
            ([(6, 0.3), (10, 0.2)], [(6, 0.4), (10, 0.3)]),
            False,
            "has stopped rising: -10.0 ± 0.0 since step 6, no more",
        ),
        (([(6, 0.2), (10, 0.3)],), True, "it is best by mAP, 30.0 over both directions, and still rises: +10.0 since"),
        (([(6, 0.3), (10, 0.3)],), False, "has stopped rising: +0.0 since step 6, no more than nothing, for one seed"),
        (([(8, 0.2), (10, 0.3)],), None, "whether the best row still rises is not known"),
    ],
)
def test_the_best_row_rises_when_it_gains_more_than_its_seeds_differ(
    runs: Sequence[Any], rises: bool | None, said: str
) -> None:
    rows = [Compared("worse", [made(1, (10, 1.0, 0.1))]), row(*runs)]
    found = table.best(rows)
    assert (found and found.rises) == rises
    assert said in table.as_text(rows, {}, "everyone", "4 x 4").replace("\n", " ")
    assert (table.as_json(rows, {}, "everyone")["best"] or {}).get("rises") == rises


@pytest.mark.parametrize(("gain", "said"), [(0.0004, "has stopped rising: +0.0"), (0.0006, "still rises: +0.1")])
def test_what_is_printed_as_no_gain_is_none(gain: float, said: str) -> None:
    assert said in table.as_text([row([(6, 0.2), (10, 0.2 + gain)])], {}, "everyone", "4 x 4")


def test_rows_that_are_not_above_chance_are_starred_and_not_called_best() -> None:
    low: dict[str, list[str]] = {WAYS[0]: ["rank1", "mAP"], WAYS[1]: ["mAP"]}
    once = {WAYS[0]: ["mAP"], WAYS[1]: []}
    first, second = SLOW.runs
    rows = [
        Compared("low", [first._replace(at_chance=low), second._replace(at_chance=low)]),
        Compared("once", [first._replace(at_chance=once), second]),
        FAST,
    ]
    cells = {line[0]: [cell.endswith("*") for cell in line[3:11]] for line in table._main(rows, {})[1:]}
    assert cells == {
        "low": [True, False, True, False, False, False, True, False],
        "once": [False] * 8,  # one of its seeds is
        "fast": [False] * 8,
    }
    assert [line[:2] for line in table._each(rows) if any(cell.endswith("*") for cell in line)] == [
        ["low", "1"],
        ["low", "2"],
        ["once", "1"],
    ]
    assert "fast is best by mAP" in table.as_text(rows, {}, "all", "4 x 4")
    text = table.as_text(rows[:1], {}, "all", "4 x 4")
    where = "visible -> infrared and infrared -> visible"
    assert f"low has the highest mAP, 45.0 over both directions, but is not above chance {where}, and still" in text
    assert "*: not above chance: the 95 %" in text and "is best" not in text
    assert "not above chance" not in table.as_text([SLOW, FAST], {}, "all", "4 x 4")
    assert table.as_json(rows, {}, "all")["rows"][1]["runs"][0]["at_chance"] == once


@given(steps=st.lists(st.integers(0, 50), min_size=1, max_size=8, unique=True), limit=st.integers(-1, 60))
def test_the_last_evaluation_until_then_is_found(steps: list[int], limit: int) -> None:
    points = [Point(step, step / 2, {}) for step in sorted(steps)]
    expected = None
    for point in points:
        if point.step <= limit:
            expected = point
    assert until(points, limit, "step") == expected == until(points, limit / 2, "seconds")


# ----------------------------------------------------------------------------------------------------------- whole runs


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    found = Processes({"smoke": 0.25, "smoke_embedding": 0.5})
    monkeypatch.setattr(apart, "_start", found)
    return found


@pytest.fixture
def call(smoke_directory: Path, tmp_path: Path, processes: Processes) -> Any:
    def main(*words: object) -> Path:
        given = ["--data.directory", smoke_directory] if any(Path(str(word)).is_file() for word in words) else []
        command.main([*map(str, [*words, *given]), "--out", str(tmp_path / "out"), "--no-hand-crafted"])
        return tmp_path / "out"

    return main


@pytest.fixture
def config(smoke_config: Config) -> Config:
    return with_values(smoke_config, {"seed": 5})


def test_every_seed_of_every_row_is_trained_and_the_table_written(
    call: Any, processes: Processes, capsys: pytest.CaptureFixture[str]
) -> None:
    out = call(SMOKE, EMBEDDING, "--seeds", "1,2", "--steps", 9)
    assert processes.trained == ["smoke_1", "smoke_embedding_1", "smoke_2", "smoke_embedding_2"]
    assert RunFolder(out / "runs" / "smoke_2").open().training.steps == 9
    found = json.loads((out / "comparison.json").read_text())
    assert [row["name"] for row in found["rows"]] == ["smoke", "smoke_embedding"]
    assert found["rows"][0]["mean"]["visible_to_infrared"]["rank1"] == pytest.approx(0.265)
    assert [point["step"] for point in found["after_equal_seconds"]["rows"]["smoke"]["evaluations"]] == [9, 9]
    said = capsys.readouterr().out
    assert "26.5 ± 0.7" in said and "51.5 ± 0.7" in said and "all of it in" in said
    assert "26.5 ± 0.7" in (out / "comparison.md").read_text()
    assert {file.name for file in out.iterdir()} == {
        "lock", "runs", *(f"comparison.{kind}" for kind in ("md", "csv", "json", "png", "curves.csv"))
    }  # fmt: skip


@pytest.mark.parametrize(("how", "code"), [(0, INTERRUPTED), (-signal.SIGKILL, None), (2, 2)])
def test_what_was_stopped_goes_on_and_what_is_done_stays(
    how: int, code: int | None, call: Any, processes: Processes, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (SMOKE, EMBEDDING, "--seeds", "1,2")
    processes.stopped, processes.how = "smoke_2", how
    with pytest.raises((SystemExit, UserError)) as stopped:
        call(*words)
    if isinstance(stopped.value, SystemExit):
        assert stopped.value.code == code
        said = capsys.readouterr().err
    else:
        said = str(stopped.value)
    assert "smoke, seed 2" in said and (how > 0 or "the same command and --resume" in said)
    with pytest.raises(UserError, match="holds a comparison already: go on with --resume"):
        call(*words)
    processes.stopped = ""
    out = call(*words, "--resume")
    assert processes.trained == ["smoke_1", "smoke_embedding_1", "smoke_2", "smoke_embedding_2"]
    call(*words, "--resume")
    call(SMOKE, EMBEDDING, "--seeds", "2,3", "--resume")
    assert processes.trained[4:] == ["smoke_3", "smoke_embedding_3"]
    assert "other runs in the folder, not in this table: smoke_1, smoke_embedding_1" in capsys.readouterr().out
    found = {file: file.stat().st_mtime_ns for file in out.glob("runs/*/metrics.json")}
    call(*words[:-1], "1,2,3,4", "--resume")
    assert processes.trained[6:] == ["smoke_4", "smoke_embedding_4"]
    assert {file: file.stat().st_mtime_ns for file in found} == found and len(found) == 6
    rows = json.loads((out / "comparison.json").read_text())["rows"]
    assert [[run["seed"] for run in row["runs"]] for row in rows] == [[1, 2, 3, 4]] * 2


def test_a_longer_comparison_goes_on_with_every_run(call: Any, processes: Processes) -> None:
    call(SMOKE, "--seeds", "1,2", "--steps", 9)
    out = call(SMOKE, "--seeds", "1,2", "--steps", 12, "--resume")
    assert processes.trained == ["smoke_1", "smoke_2"] * 2
    assert json.loads((out / "comparison.json").read_text())["rows"][0]["runs"][1]["steps"] == 12
    with pytest.raises(UserError, match=r"training\.steps is 9, but \S+smoke_1 was begun with 12.*only become longer"):
        call(SMOKE, "--seeds", "1,2", "--steps", 9, "--resume")


def test_a_run_that_meets_nan_fails_alone(call: Any, processes: Processes, capsys: pytest.CaptureFixture[str]) -> None:
    processes.failing = "smoke_1"
    out = call(SMOKE, EMBEDDING, "--seeds", "1,2")
    assert processes.trained == ["smoke_embedding_1", "smoke_2", "smoke_embedding_2"]
    said = "smoke, seed 1: stopped at a step that failed, and counts nowhere: hicmd replay --run "
    assert said in capsys.readouterr().out and said in (out / "comparison.md").read_text()
    rows = json.loads((out / "comparison.json").read_text())["rows"]
    assert [[run["seed"] for run in row["runs"]] for row in rows] == [[2], [1, 2]]
    with pytest.raises(UserError, match="every run stopped at a step that failed: smoke, seed 1"):
        call(SMOKE, "--seeds", "1", "--resume")
    processes.failing = ""
    call(SMOKE, EMBEDDING, "--seeds", "1,2", "--resume")
    assert processes.trained[3:] == ["smoke_1"]


def test_several_train_side_by_side_unless_one_is_left(call: Any, processes: Processes) -> None:
    call(SMOKE, EMBEDDING, "--seeds", "1,2", "--workers", 3)
    call(SMOKE, EMBEDDING, "--seeds", "1,2,3", "--resume")
    call(SMOKE, "--seeds", "4", "--workers", 3, "--resume")
    assert processes.beside == [True] * 4 + [False] * 3


def test_finished_runs_are_taken_as_they_are(call: Any, processes: Processes, config: Config, tmp_path: Path) -> None:
    for seed in (5, 6):
        finish(tmp_path / f"mine_{seed}", with_values(config, {"seed": seed}), seed / 10)
    finish(tmp_path / "other", with_values(config, {"losses.same": 1.0}), 0.8)
    out = call(tmp_path / "mine_5", tmp_path / "other", tmp_path / "mine_6")
    found = json.loads((out / "comparison.json").read_text())["rows"]
    assert [(row["name"], len(row["runs"])) for row in found] == [("mine", 2), ("other", 1)]
    assert found[0]["mean"]["infrared_to_visible"]["mAP"] == pytest.approx(0.55) and processes.trained == []


def test_a_run_that_is_taken_is_not_trained_again(
    call: Any, processes: Processes, config: Config, tmp_path: Path
) -> None:
    finish(tmp_path / "mine", config, 0.9)
    out = call(SMOKE, tmp_path / "mine", "--seeds", "5,6")
    assert processes.trained == ["smoke_6"]
    (row,) = json.loads((out / "comparison.json").read_text())["rows"]
    assert (row["name"], [run["seed"] for run in row["runs"]]) == ("smoke", [5, 6])


def test_a_run_of_an_earlier_version_is_taken_without_its_costs(call: Any, config: Config, tmp_path: Path) -> None:
    finish(tmp_path / "mine", config, 0.9).costs.unlink()
    text = (call(tmp_path / "mine") / "comparison.md").read_text()
    assert "mine: begun by an earlier version, which counted no seconds" in text and "After equal times" not in text


def test_progress_is_read_up_to_the_last_step(config: Config, tmp_path: Path) -> None:
    run = finish(tmp_path / "mine", config, 0.7)
    costs = Costs([(0, 0.0), (6, 3.0)], 1, None, None, {"describing": 1, "trained": 1})
    points = read_progress(run, costs, 6, json.loads(run.metrics.read_text()))
    assert [(point.step, point.seconds) for point in points] == [(0, 0.0), (3, None), (6, 3.0)]
    assert [point.figures[WAYS[0]]["mAP"] for point in points] == [0.0, 0.2, 0.7]  # in the end what metrics.json says
    with run.evaluations.open("a") as file:
        file.write("7,0.1\n")
    with pytest.warns(UserWarning, match="line 4 can't be read"):
        assert len(read_progress(run, None, 6, json.loads(run.metrics.read_text()))) == 3


REFUSED = [
    (("nothing_here",), "nothing_here: there is no configuration"),
    (("runs/nothing",), "^runs/nothing: there is no such run folder or configuration"),
    (("./no.yaml",), r"^\./no\.yaml: there is no such run folder or configuration"),
    (("./WRONG",), r"^wrong\.yaml, line 2: there is no setting embeding\.people"),
    ((SMOKE, SMOKE), "are one configuration: leave one of them out"),
    ((SMOKE, "OTHER"), r"fewer.yaml: data.test_identities is 5, and of \S+smoke.yaml 6: rows are compared on the same"),
    ((SMOKE, EMBEDDING, "--losses.same", 3), "smoke_embedding.yaml: losses.same is for method hicmd"),
    ((SMOKE, EMBEDDING, "--embedding.people", 3), "smoke.yaml: embedding.people is for method embedding"),
    ((SMOKE, "--seed", 3), "--seed 3 is of one run: name the seeds of all by --seeds"),
    ((SMOKE, "--seeds", "3,3"), "is no list of different whole numbers"),
    (("own",), "own: photographs is no folder"),
    (("MINE", "MINE"), r"\S+mine and \S+mine are of one configuration and seed"),
    (("MINE", "--seeds", 1), "--seeds is for configurations, and all that are named are runs"),
    (("MINE", "--workers", 2), "--workers is for configurations"),
    ((SMOKE, "--workers", 0), "--workers: '0' is not a count, expected a whole number from 1 on"),
    (("MINE", "--no-report"), "--no-report is for configurations"),
    (("MINE", "--training.log_every", 7), "--training.log_every is for configurations"),
    (("MINE", "--losses.same", 1), "mine: the run has losses.same 20.0, and the command line 1.0"),
    (("MINE", SMOKE, "--losses.same", 1), "mine: the run has losses.same 20.0, and the command line 1.0"),
    (("PARENT",), "is not a run folder, it has no config.yaml"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_mistakes_are_refused_before_anything_is_trained(
    words: Sequence[object],
    said: str,
    call: Any,
    processes: Processes,
    config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finish(tmp_path / "mine", config, 0.9)
    monkeypatch.chdir(tmp_path)
    Path("wrong.yaml").write_text("extends: base\nembeding: {people: 4}\n")
    places = {
        "./WRONG": Path("wrong.yaml"),
        "MINE": tmp_path / "mine",
        "PARENT": tmp_path,
        "OTHER": tmp_path / "fewer.yaml",
    }
    places["OTHER"].write_text(f"extends: {EMBEDDING}\ndata:\n  test_identities: 5\n")
    with pytest.raises(UserError, match=said):
        call(*(places.get(str(word), word) for word in words))
    assert processes.trained == [] and not (tmp_path / "out").exists()


@pytest.mark.parametrize("setting", ["synthetic:\n    noise: 1.0", "held_out: 1", "trial: 2"])
def test_rows_of_other_pictures_are_refused_by_their_settings_before_any_are_drawn(
    setting: str, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "load_pictures", None)
    (tmp_path / "other.yaml").write_text(f"extends: {EMBEDDING}\ndata:\n  {setting}\n")
    key = setting.replace(":\n    ", ".").partition(":")[0]
    with pytest.raises(UserError, match=rf"other.yaml: data\.{key} is .*, and of \S+smoke.yaml .* same pictures"):
        call(SMOKE, tmp_path / "other.yaml")


def test_too_few_people_in_folders_are_refused_from_the_listing(
    tmp_path: Path, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before pictures are compared or described, and nothing is left: the corrected command needs no --resume."""
    sample_folder.main([str(tmp_path / "own"), "--height", "32", "--people", "8", "--pictures", "2"])
    folder = f"data:\n  name: folder\n  source: {tmp_path / 'own'}\n  test_identities: 4\n"
    one, other, smaller = (tmp_path / f"{name}.yaml" for name in ("smoke", "smoke_embedding", "smaller"))
    one.write_text(f"extends: {SMOKE}\n{folder}batch:\n  pairs: 3\n  negatives: 2\n")
    other.write_text(f"extends: {EMBEDDING}\n{folder}embedding:\n  people: 4\n")
    out = ["--seeds", "1", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(comparison, "data_hashes", None)
    few = (
        r"smoke\.yaml: a batch of 3 pairs .* needs 7 training identities, there are 4: give --batch\.pairs 3 --batch\."
    )
    with pytest.raises(UserError, match=few) as alone:
        command.main([str(one), *out])
    assert "extends" not in str(alone.value)
    with pytest.raises(UserError, match=rf"{few}.* write a \.yaml file with `extends: {one}` and them"):
        command.main([str(other), str(one), *out])
    with pytest.raises(UserError, match="a batch of 5 people needs as many"):
        command.main([str(other), "--embedding.people", "5", *out])
    assert not (tmp_path / "out").exists()
    monkeypatch.undo()
    monkeypatch.setattr(apart, "_start", processes)
    processes.expected = {"smaller": 0.2, "smoke_embedding": 0.3}
    smaller.write_text(f"extends: {one}\nbatch:\n  negatives: 0\n")
    command.main([str(other), str(smaller), *out, "--no-hand-crafted"])
    assert processes.trained == ["smoke_embedding_1", "smaller_1"]


def test_a_folder_in_which_nothing_was_trained_holds_no_comparison(call: Any, processes: Processes) -> None:
    processes.stopped, processes.how = "smoke_1", 2  # refused before it begins
    for _ in range(2):
        with pytest.raises(SystemExit):
            call(SMOKE, "--seeds", "1")
    processes.stopped = ""
    call(SMOKE, "--seeds", "1")


def test_what_has_the_size_of_the_first_row_is_named() -> None:
    simple = {name: figures(0.1) for name in ("chance", "raw_pixels", "colour_histogram")}
    said = [table.as_text([FAST], {**simple, **more}, "all", "8 x 4") for more in ({}, {"hog": figures(0.2)})]
    assert "raw pixels, colour histogram: of pictures of 8 x 4" in said[0] and "HOG" not in said[0]
    assert "raw pixels, colour histogram, HOG: of pictures of 8 x 4" in said[1]


def test_runs_of_other_pictures_and_unfinished_ones_are_refused(call: Any, config: Config, tmp_path: Path) -> None:
    mine = finish(tmp_path / "mine", config, 0.9)
    finish(tmp_path / "other", with_values(config, {"seed": 6}), 0.9, {"train": "1" * 64, "test": "2" * 64})
    with pytest.raises(UserError, match=r"other: its train pictures.* not those of \S+mine \(sha256 111111111111 and "):
        call(tmp_path / "mine", tmp_path / "other")
    mine.metrics.write_text(mine.metrics.read_text().replace('"end": 6', '"end": 3'))
    with pytest.raises(UserError, match=r"mine: is not finished, 3 of 6 steps: go on with hicmd fit"):
        call(tmp_path / "mine")
    mine.metrics.unlink()
    with pytest.raises(UserError, match=r"mine: has no metrics\.json, so it is not finished"):
        call(tmp_path / "mine")


def test_equal_names_are_refused(call: Any, config: Config, tmp_path: Path) -> None:
    finish(tmp_path / "smoke", with_values(config, {"losses.same": 1.0}), 0.9)
    with pytest.raises(UserError, match=r"are both called smoke: give one of them another name"):
        call(SMOKE, tmp_path / "smoke")


def test_another_folder_is_left_alone(call: Any, config: Config, tmp_path: Path) -> None:
    finish(tmp_path / "mine", config, 0.9)
    finish(tmp_path / "out", config, 0.9)
    with pytest.raises(UserError, match="out exists and holds no comparison"):
        call(tmp_path / "mine", "--resume")


def test_a_run_there_of_other_settings_is_refused_before_others_are_trained(call: Any, processes: Processes) -> None:
    call(SMOKE, "--seeds", "1")
    with pytest.raises(UserError, match=r"losses\.same is 1\.0, but \S+smoke_1 was begun with 20\.0"):
        call(SMOKE, "--seeds", "2,1", "--resume", "--losses.same", "1.0")
    assert processes.trained == ["smoke_1"]


def test_hand_crafted_rows_are_kept(
    smoke_directory: Path, processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("skimage", reason="pip install 'hicmd-tf[baselines]'")
    words = [str(SMOKE), "--seeds", "1", "--data.directory", str(smoke_directory), "--out", str(tmp_path / "out")]
    command.main(words)
    text = (tmp_path / "out" / "comparison.md").read_text()
    assert "| HOG" in text and "| LOMO" in text
    monkeypatch.setattr(comparison, "hand_crafted_figures", None)
    command.main([*words, "--resume"])
    assert (tmp_path / "out" / "comparison.md").read_text() == text


def test_several_workers_are_refused(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "TF_CONFIG", "{}")
    with pytest.raises(UserError, match="TF_CONFIG is for one run"):
        call(SMOKE)
