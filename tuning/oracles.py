"""Keras Tuner's oracles, made to begin with the configuration's own values and to survive a kill at any moment."""

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import keras_tuner as kt
from keras_tuner.engine.trial import Trial, TrialStatus

from hicmd_tf.config.kinds import LARGEST_SEED
from hicmd_tf.errors import EXIT_CODE, UserError
from hicmd_tf.files import write_text
from hicmd_tf.tuning.space import rounded

OBJECTIVE = "objective"
FACTOR = 3  # of Hyperband: each round keeps a third of the trials and gives them three times the steps

Values = dict[str, Any]


class StudyOracle(kt.Oracle):  # type: ignore[misc]
    """The common base of all our oracles; one of Keras Tuner's comes after it in a class's bases.

    Its files are written whole. A trial's score is its last figure, not its best one, for a run of the same length
    comes to that. Trials that were running when the process was killed run again, from their checkpoints; those that
    had ended do not, though Keras Tuner's own state still calls the last of them ongoing.
    """

    trials: dict[str, Trial]

    def prepare(self, max_trials: int, runs: Path) -> None:
        """To be called after the constructor. runs: folder of run folders, where a failed trial says why."""
        self.max_trials = max_trials
        self.runs = runs
        self.verbose = 0  # what is printed is in `end_trial`

    def _random_values(self) -> Values | None:
        if not self.trials:
            return {hp.name: hp.default for hp in self.hyperparameters.space}
        values: Values | None = super()._random_values()
        return values

    def populate_space(self, trial_id: str) -> Values:
        response: Values = super().populate_space(trial_id)
        values = (response.get("values") or {}).items()
        return {**response, "values": {key: rounded(x) if isinstance(x, float) else x for key, x in values}}

    def score_trial(self, trial: Trial) -> None:
        last = trial.metrics.metrics[OBJECTIVE].get_history()[-1]
        trial.score, trial.best_step = last.mean(), last.step

    def end_trial(self, trial: Trial) -> None:
        """As Keras Tuner does; says how it ended."""
        trial.hyperparameters = self.trials[trial.trial_id].hyperparameters  # the protocol rounds to float32
        super().end_trial(trial)
        score = self.trials[trial.trial_id].score
        outcome = f"mAP {100 * score:.2f} %" if score is not None else f"failed: {reason(trial, self.runs)}"
        best = max((one.score for one in self.trials.values() if one.score is not None), default=0)
        said = f"trial {trial.trial_id}: {outcome}; best {100 * best:.2f} %"
        print(f"{said}; {len(self.end_order)} of {self.max_trials} ended", file=sys.stderr, flush=True)

    def save(self) -> None:
        _write(Path(self._get_oracle_fname()), self.get_state())

    def _save_trial(self, trial: Trial) -> None:
        _write(Path(self._get_trial_dir(trial.trial_id)) / "trial.json", trial.get_state())

    def reload(self) -> None:
        super().reload()
        begun = set(self.start_order)
        self.trials = {name: self.trials[name] for name in self.start_order}  # those that a worker knows of
        for folder in Path(self._project_dir).glob("trial_*"):
            if folder.name.removeprefix("trial_") not in begun:
                (folder / "trial.json").unlink(missing_ok=True)
        running = [name for name, trial in self.trials.items() if trial.status == TrialStatus.RUNNING]
        self._retry_queue = running[::-1]  # taken from the end
        self.end_order += [name for name in self.start_order if name not in {*running, *self.end_order}]


class RandomOracle(StudyOracle, kt.oracles.RandomSearchOracle):  # type: ignore[misc]
    """Independent trials."""


class BayesianOracle(StudyOracle, kt.oracles.BayesianOptimizationOracle):  # type: ignore[misc]
    """A Gaussian process chooses where it expects much, or knows little."""

    def populate_space(self, trial_id: str) -> Values:
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of so few trials no length scale is certain
            response: Values = super().populate_space(trial_id)
        if response["values"] and self._duplicate(response["values"]):  # a corner of the space, once more
            response = self._random_populate_space()
        return response


class HyperbandOracle(StudyOracle, kt.oracles.HyperbandOracle):  # type: ignore[misc]
    """Many short trials, of which the best go on. Its epochs are our intervals."""


def oracle(kind: str, space: kt.HyperParameters, max_trials: int, intervals: int, seed: int, runs: Path) -> StudyOracle:
    """The oracle of a search by name: random, bayesian or hyperband. intervals: in a full-length trial."""
    classes: dict[str, tuple[Any, Values]] = {
        "random": (RandomOracle, {"max_trials": max_trials}),
        "bayesian": (BayesianOracle, {"max_trials": max_trials, "num_initial_points": max(3, max_trials // 3)}),
        "hyperband": (HyperbandOracle, {"max_epochs": intervals, "factor": FACTOR, "hyperband_iterations": None}),
    }
    found, options = classes[kind]
    made: StudyOracle = found(
        objective=kt.Objective(OBJECTIVE, "max"),
        hyperparameters=space,
        allow_new_entries=False,
        seed=seed % LARGEST_SEED + 1,  # 0 would be no seed
        max_consecutive_failed_trials=max_trials + 1,  # a trial that fails does so alone
        **options,
    )
    made.prepare(max_trials, runs)
    return made


def reason(trial: Trial, runs: Path) -> str:
    """Why a trial failed, as its process noted it: Keras Tuner's protocol has no place for it."""
    note = failure_note(runs / f"trial_{trial.trial_id}")
    return note.read_text(encoding="utf-8").strip() if note.is_file() else "no reason given"


def failure_note(run: Path) -> Path:
    """Where a run folder says why its trial failed."""
    return run / "failed.txt"


def _write(path: Path, state: Values) -> None:
    """Writes Keras Tuner's state as a whole. Its locks are not given back after an error, and everyone would wait for
    ever: a disk that refuses ends the process."""
    try:
        write_text(path, json.dumps(state))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        os._exit(EXIT_CODE)
