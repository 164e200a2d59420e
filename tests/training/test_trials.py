"""`fit --trials`: which trials count as done, and what is refused before any is trained."""

import json
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from drawn_trees import picture

from hicmd_tf.commands import fit
from hicmd_tf.config import Config, load, with_values
from hicmd_tf.errors import INTERRUPTED, UserError
from hicmd_tf.retrieval.evaluation import Row
from hicmd_tf.retrieval.report import COLUMNS
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.origin import configuration_hash
from hicmd_tf.training import trials

PLUMBING = Path(__file__).parents[1] / "fixtures" / "plumbing.yaml"
CONFIG = load(PLUMBING)


def finish(run: Path, config: Config) -> None:
    """What a trial leaves."""
    folder, steps = RunFolder(run), config.training.steps
    folder.begin(config, resume=True)
    row = Row("all", "visible_to_infrared", False, 1, 9, 0, dict.fromkeys(COLUMNS, 0.5), dict.fromkeys(COLUMNS, 0.0))
    origin = {"configuration_sha256": configuration_hash(config), "steps": {"start": 0, "end": steps}}
    found = {**origin, "deterministic": True, "data_sha256": {}, "origins": []}
    folder.metrics.write_text(json.dumps({"settings": [row._asdict()], "provenance": found}))


class Processes:
    """Stands for the processes of trials, which finish at once, but one in which Ctrl-C comes."""

    def __init__(self, interrupted: int | None = None) -> None:
        self.trained: list[int] = []
        self.interrupted = interrupted

    def __call__(self, command: Sequence[str]) -> int:
        config, options = fit.parse("hicmd fit", "", command[4:], fit._options, {"steps": "training.steps"})
        if config.data.trial == self.interrupted:
            raise KeyboardInterrupt
        self.trained.append(config.data.trial)
        finish(Path(options.run), config)
        return 0


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    found = Processes()
    monkeypatch.setattr(trials, "_run", found)
    return found


def command(out: Path, *more: str) -> list[str]:
    return ["--config", str(PLUMBING), "--run", str(out), "--trials", "1-2", *more]


def test_trials_are_trained_and_their_mean_is_written(processes: Processes, tmp_path: Path) -> None:
    fit.main(command(tmp_path / "all"))
    assert processes.trained == [1, 2]
    found = json.loads((tmp_path / "all" / "evaluation.json").read_text())
    assert found["trials"] == [1, 2] and found["rows"][0]["mean"]["rank1"] == 0.5


def test_a_finished_trial_counts_when_its_configuration_is_this_one(processes: Processes, tmp_path: Path) -> None:
    out = tmp_path / "all"
    finish(out / "trial_1", CONFIG)
    finish(out / "trial_2", with_values(CONFIG, {"data.trial": 2}))
    fit.main(command(out, "--resume", "--data.directory", "elsewhere"))
    assert processes.trained == []
    fit.main(command(out, "--resume", "--steps", "9"))  # which no trial has yet
    assert processes.trained == [1, 2]


@pytest.mark.parametrize(
    ("trained_with", "said"),
    [
        ({"losses.cross": 7.0}, r"losses\.cross is 5\.0, but \S+trial_2 was begun with 7\.0"),
        ({"seed": 5}, r"seed is \d+, but \S+trial_2 was begun with 5"),
        ({"data.trial": 3}, r"data\.trial is 2, but \S+trial_2 was begun with 3"),
        ({"training.steps": 90}, "can only become longer"),
    ],
)
def test_a_trial_of_another_configuration_is_refused_before_any_is_trained(
    trained_with: dict, said: str, processes: Processes, tmp_path: Path
) -> None:
    finish(tmp_path / "all" / "trial_2", with_values(CONFIG, {"data.trial": 2, **trained_with}))
    with pytest.raises(UserError, match=said):
        fit.main(command(tmp_path / "all", "--resume"))
    assert processes.trained == [] and not (tmp_path / "all" / "trial_1").exists()


@pytest.mark.parametrize("content", ["{}", "{", "", '{"settings": []}', '{"provenance": {"steps": {"end": 6}}}'])
def test_figures_that_do_not_say_what_they_are_of_are_made_again(
    content: str, processes: Processes, tmp_path: Path
) -> None:
    finish(tmp_path / "all" / "trial_1", CONFIG)
    (tmp_path / "all" / "trial_1" / "metrics.json").write_text(content)
    fit.main(command(tmp_path / "all", "--resume"))
    assert processes.trained == [1, 2]


def test_a_trial_that_changed_alone_counts_by_what_it_was_trained_with(processes: Processes, tmp_path: Path) -> None:
    out, changes = tmp_path / "all", {"losses.cross": 7.0}
    finish(out / "trial_1", CONFIG)
    folder = RunFolder(out / "trial_1")
    folder.begin(CONFIG, True, changes, 3)
    fit.main(command(out, "--resume"))
    assert processes.trained == [1, 2]  # its figures are of the time before
    finish(out / "trial_1", CONFIG)
    found = json.loads(folder.metrics.read_text())
    found["provenance"]["configuration_sha256"] = configuration_hash(with_values(CONFIG, changes))
    folder.metrics.write_text(json.dumps(found))
    fit.main(command(out, "--resume"))
    assert processes.trained == [1, 2]


def test_figures_without_a_run_are_refused(processes: Processes, tmp_path: Path) -> None:
    finish(tmp_path / "all" / "trial_2", CONFIG)
    (tmp_path / "all" / "trial_2" / "config.yaml").unlink()
    with pytest.raises(UserError, match="trial_2 exists and is not a run folder"):
        fit.main(command(tmp_path / "all", "--resume"))
    shutil.rmtree(tmp_path / "all" / "trial_2")
    finish(tmp_path / "all" / "trial_2", with_values(CONFIG, {"data.trial": 2}))
    with pytest.raises(UserError, match="trial_2 holds a run already: continue it with --resume"):
        fit.main(command(tmp_path / "all"))
    assert processes.trained == []


def test_ctrl_c_says_the_command_that_goes_on(
    processes: Processes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    processes.interrupted = 2
    for more, advice in (([], "the same command and --resume"), (["--resume"], "the same command")):
        with pytest.raises(SystemExit) as stopped:
            fit.main(command(tmp_path / "all", *more))
        assert stopped.value.code == INTERRUPTED
        assert capsys.readouterr().err == f"stopped in trial 2; go on with {advice}\n"
    processes.interrupted = None
    fit.main(command(tmp_path / "all", "--resume"))
    assert processes.trained == [1, 2]


def own_pictures(source: Path) -> Path:
    for person, split in ((1, "train"), (2, "test")):
        for modality in ("visible", "infrared"):
            picture(source / split / str(person) / modality / "0.png", person)
    return source


def test_what_cannot_be_several_trials_is_refused(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, source = tmp_path / "all", str(own_pictures(tmp_path / "own"))

    def refused(*more: str) -> str:
        with pytest.raises(UserError) as caught:
            fit.main([*command(out)[:4], *more])
        return str(caught.value)

    all_of_them = ("--trials", "1-2")
    for name in ("folder", "sysu_mm01", "llcm"):
        named = ("--data.name", name, "--data.source", source)
        assert f"--trials 1-2: {name} has one split: leave" in refused(*all_of_them, *named)
    for third in (("--data.trial", "3"), ("--data.trial=3",)):
        assert "both say which split" in refused(*all_of_them, *third)
    assert "--change is for a run that goes on with --resume" in refused(*all_of_them, "--change", "losses.cross=1")
    assert "--change is for one run" in refused(*all_of_them, "--resume", "--change", "losses.cross=1")
    assert "--trials is given twice: give it once" in refused(*all_of_them, "--trials", "3")
    for numbers in ("3-1", "1,3-1", "", "a", "1-", "-1"):
        assert "expected numbers or spans" in refused(f"--trials={numbers}")
    assert "data.trial is 11: expected a split from 1 to 10" in refused("--trials", "9-11")
    RunFolder(out).begin(CONFIG, resume=False)
    assert "all holds a run, or is a file" in refused(*all_of_them) == refused(*all_of_them, "--resume")
    monkeypatch.setenv("TF_CONFIG", "{}")
    assert "TF_CONFIG is for one run" in refused(*all_of_them)
    assert processes.trained == []


def test_regdb_has_ten_trials(processes: Processes, tmp_path: Path) -> None:
    fit.main(
        [*command(tmp_path / "all")[:4], "--data.name", "regdb", "--data.source", "somewhere", "--trials", "1,9-10"]
    )
    assert processes.trained == [1, 9, 10]


def test_a_trial_that_is_killed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "_run", lambda command: -signal.SIGKILL)
    with pytest.raises(UserError, match="trial 1 was ended by SIGKILL; go on with the same command and --resume"):
        fit.main(command(tmp_path / "all"))
