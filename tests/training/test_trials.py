"""`fit --trials`: which trials count as done, and what is refused before any is trained."""

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import Mock

import pytest

from hicmd_tf.commands import fit
from hicmd_tf.config import Config, load, with_values
from hicmd_tf.errors import INTERRUPTED, UserError
from hicmd_tf.retrieval.evaluation import Row
from hicmd_tf.retrieval.report import COLUMNS
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.origin import configuration_hash
from hicmd_tf.training import apart

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

    def __call__(self, job: apart.Job, beside: bool) -> Mock:
        config, options = fit.parse("hicmd fit", "", job.fit[4:], fit._options, {"steps": "training.steps"})
        if config.data.trial == self.interrupted:
            return Mock(poll=Mock(side_effect=KeyboardInterrupt))
        self.trained.append(config.data.trial)
        finish(Path(options.run), config)
        return Mock(poll=lambda: 0)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    found = Processes()
    monkeypatch.setattr(apart, "_start", found)
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


def test_a_trial_of_another_configuration_is_refused_before_any_is_trained(
    processes: Processes, tmp_path: Path
) -> None:
    finish(tmp_path / "all" / "trial_2", with_values(CONFIG, {"data.trial": 2, "losses.cross": 7.0}))
    with pytest.raises(UserError, match=rf"losses\.cross is {CONFIG.losses.cross}, but \S+trial_2 was begun with 7\.0"):
        fit.main(command(tmp_path / "all", "--resume"))
    assert processes.trained == [] and not (tmp_path / "all" / "trial_1").exists()


@pytest.mark.parametrize("content", ["{", '{"settings": []}', '{"provenance": {"steps": {"end": 6}}}'])
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


def test_a_trial_s_folder_is_joined_only_to_go_on(processes: Processes, tmp_path: Path) -> None:
    finish(tmp_path / "all" / "trial_2", with_values(CONFIG, {"data.trial": 2}))
    with pytest.raises(UserError, match="trial_2 holds a run already: continue it with --resume"):
        fit.main(command(tmp_path / "all"))
    (tmp_path / "all" / "trial_2" / "config.yaml").unlink()
    with pytest.raises(UserError, match="trial_2 exists and is not a run folder"):
        fit.main(command(tmp_path / "all", "--resume"))
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


SOURCE = ("--data.source", "somewhere")
REFUSED = [
    (("--trials", "1-2", "--data.name", name, *SOURCE), f"--trials 1-2: {name} has one split: leave")
    for name in ("folder", "sysu_mm01", "llcm")
] + [
    (("--trials", "1-2", "--data.trial", "3"), "both say which split"),
    (("--trials", "1-2", "--data.trial=3"), "both say which split"),
    (("--trials", "1-2", "--change", "losses.cross=1"), "--change is for a run that goes on with --resume"),
    (("--trials", "1-2", "--resume", "--change", "losses.cross=1"), "--change is for one run"),
    (("--trials", "1-2", "--trials", "3"), "--trials is given twice: give it once"),
    (("--trials=3-1",), "expected numbers or spans"),
    (("--trials=1,a",), "expected numbers or spans"),
    (("--trials=-1",), "expected numbers or spans"),
    (("--trials", "9-11"), "data.trial is 11: expected a split from 1 to 10"),
]


@pytest.mark.parametrize(("given", "said"), REFUSED)
def test_what_cannot_be_several_trials_is_refused(
    given: Sequence[str], said: str, processes: Processes, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        fit.main([*command(tmp_path / "all")[:4], *given])
    assert processes.trained == []


def test_neither_a_run_s_folder_nor_one_of_several_workers_takes_trials(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RunFolder(tmp_path / "all").begin(CONFIG, resume=False)
    for more in ((), ("--resume",)):
        with pytest.raises(UserError, match="all holds a run, or is a file"):
            fit.main(command(tmp_path / "all", *more))
    monkeypatch.setenv("TF_CONFIG", "{}")
    with pytest.raises(UserError, match="TF_CONFIG is for one run"):
        fit.main(command(tmp_path / "all"))
    assert processes.trained == []


def test_regdb_has_ten_trials(processes: Processes, tmp_path: Path) -> None:
    fit.main([*command(tmp_path / "all")[:4], "--data.name", "regdb", *SOURCE, "--trials", "1,9-10"])
    assert processes.trained == [1, 9, 10]


def test_a_trial_that_is_killed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_start", lambda *_: Mock(poll=lambda: -signal.SIGKILL))
    with pytest.raises(UserError, match="trial 1 was ended by SIGKILL; go on with the same command and --resume"):
        fit.main(command(tmp_path / "all"))
