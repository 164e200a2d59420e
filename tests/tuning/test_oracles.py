"""What the oracles keep: whenever the process is killed, no ended trial is lost or run again."""

import json
import shutil
from pathlib import Path

import keras_tuner as kt
import pytest
from keras_tuner.engine.trial import Trial, TrialStatus

import hicmd_tf.tuning.oracles
from hicmd_tf.tuning.oracles import OBJECTIVE, StudyOracle, failure_note, oracle

TRIALS = 6
KINDS = ("random", "bayesian", "hyperband")
WORKER = "worker0"
INTERVALS = 3  # three short trials of Hyperband, of which one goes on
FAILING = "4"


def space() -> kt.HyperParameters:
    found = kt.HyperParameters()
    found.Float("losses.cross", 1, 100, sampling="log", default=10)
    found.Float("losses.same", 0.5, 50, sampling="log", default=5)
    return found


def opened(kind: str, out: Path, max_trials: int = TRIALS) -> StudyOracle:
    """The oracle as a new process has it."""
    made = oracle(kind, space(), max_trials, INTERVALS, 777, out / "runs")
    made._set_project_dir(str(out), "search")
    if Path(made._get_oracle_fname()).exists():
        made.reload()
    else:
        made.save()
    return made


def worth(trial: Trial) -> float:
    """A figure that depends on the values only, of a trial that fails for some."""
    numbers = [v if isinstance(v, float) else float(len(str(v))) for v in trial.hyperparameters.values.values()]
    return 1 / (1 + sum(numbers))


def go_on(study: StudyOracle, log: list[str]) -> None:
    """One worker's loop to the end; `log` gets the name of each trial that ended, in order."""
    while True:
        trial = study.create_trial(WORKER)
        if trial.status == TrialStatus.STOPPED:
            return
        study.update_trial(trial.trial_id, {OBJECTIVE: 0.9}, 3)  # better on the way than at the end
        study.update_trial(trial.trial_id, {OBJECTIVE: worth(trial)}, 6)
        trial.status = TrialStatus.FAILED if trial.trial_id == FAILING else TrialStatus.COMPLETED
        study.end_trial(trial)
        log.append(trial.trial_id)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_trial_is_the_configuration_and_a_score_is_the_last_figure(kind: str, tmp_path: Path) -> None:
    study, log = opened(kind, tmp_path), []
    go_on(study, log)
    first = {hp.name: hp.default for hp in space().space}
    assert first.items() <= study.trials["0"].hyperparameters.values.items()
    assert log == [str(n) for n in range(TRIALS)]
    for name, trial in study.trials.items():
        assert trial.score == (None if name == FAILING else pytest.approx(worth(trial)))
    if kind != "hyperband":  # whose trials go on with the values of others
        seen = {json.dumps(trial.hyperparameters.values, sort_keys=True) for trial in study.trials.values()}
        assert len(seen) == TRIALS


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_kill_at_any_moment_no_ended_trial_is_lost_or_repeated(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is copied before each of the writes of a whole search: what a kill at that moment leaves."""
    copies: list[tuple[Path, list[str]]] = []
    write, log = hicmd_tf.tuning.oracles.write_text, []

    def write_and_copy(path: Path, text: str) -> None:
        copy = tmp_path / f"kill_{len(copies)}"
        shutil.copytree(tmp_path / "whole", copy)
        copies.append((copy, list(log)))
        write(path, text)

    (tmp_path / "whole").mkdir()
    monkeypatch.setattr(hicmd_tf.tuning.oracles, "write_text", write_and_copy)
    go_on(opened(kind, tmp_path / "whole"), log)
    monkeypatch.setattr(hicmd_tf.tuning.oracles, "write_text", write)
    assert len(copies) > 4 * TRIALS
    for copy, ended in copies[:: 11 if kind == "bayesian" else 5]:
        study = opened(kind, copy)
        scores = {name: study.trials[name].score for name in ended}
        again: list[str] = []
        go_on(study, again)
        finished = [name for name in study.trials if name not in again]
        assert set(ended) <= set(finished) and not set(ended) & set(again)
        assert len(finished) <= len(ended) + 1  # one had ended, and its worker did not know yet
        assert sorted(finished + again) == sorted(study.trials) == [str(n) for n in range(TRIALS)]
        assert {name: study.trials[name].score for name in ended} == scores
        assert len(set(study.end_order)) == len(study.end_order) == TRIALS


def test_more_trials_extend_a_search(tmp_path: Path) -> None:
    log: list[str] = []
    go_on(opened("random", tmp_path, 5), log)
    go_on(opened("random", tmp_path, 11), log)  # names of two digits from here
    assert [int(name) for name in log] == list(range(11))
    go_on(opened("random", tmp_path, 11), log)
    assert len(log) == 11


def test_a_worker_that_was_killed_gets_its_trial_back(tmp_path: Path) -> None:
    study = opened("random", tmp_path)
    trial = study.create_trial(WORKER)
    other = study.create_trial("worker1")
    assert study.create_trial(WORKER).trial_id == trial.trial_id != other.trial_id


def test_all_trials_may_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = opened("random", tmp_path)
    for n in range(TRIALS):
        trial = study.create_trial(WORKER)
        note = failure_note(tmp_path / "runs" / f"trial_{n}")
        note.parent.mkdir(parents=True)
        note.write_text("cross became nan\n")
        trial.status = TrialStatus.FAILED
        study.end_trial(trial)
    assert study.create_trial(WORKER).status == TrialStatus.STOPPED
    assert capsys.readouterr().err.count("failed: cross became nan") == TRIALS


def test_a_disk_that_refuses_ends_the_process_instead_of_leaving_everyone_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def end(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr("os._exit", end)
    (tmp_path / "a_file").write_text("")
    with pytest.raises(SystemExit) as ended:
        hicmd_tf.tuning.oracles._write(tmp_path / "a_file" / "oracle.json", {})
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: ")
