"""Trials as run folders: what Keras Tuner's loop calls for each, alone or as one of several workers."""

import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras_tuner as kt
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus

from hicmd_tf.config import Config, with_values
from hicmd_tf.data.datasets import evaluated
from hicmd_tf.engines.chosen import LastGood
from hicmd_tf.files import making_folder, write_text
from hicmd_tf.retrieval.baselines import SIMPLE, Figures
from hicmd_tf.retrieval.evaluation import both_directions, mean_map
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.metrics import Metrics
from hicmd_tf.training.callbacks import EachStep
from hicmd_tf.training.experiment import Experiment, prepare
from hicmd_tf.training.failure import NotFiniteError
from hicmd_tf.training.logs import GrowingTable, TensorBoard
from hicmd_tf.training.run import describe, train
from hicmd_tf.tuning.oracles import OBJECTIVE, failure_note
from hicmd_tf.tuning.space import Space, configured

Report = Callable[[float, int], None]
"""Takes the objective and the step that it is of."""

EPOCHS, PARENT = "tuner/epochs", "tuner/trial_id"  # what Hyperband adds to a trial's values


class HeldOut(EachStep):
    """Every `every` iterations the figures of the held-out identities: held_out.csv, TensorBoard, and the oracle."""

    def __init__(
        self, start: int, every: int, folder: RunFolder, config: Config, experiment: Experiment, report: Report
    ):
        super().__init__(start)
        self.every, self.config, self.experiment, self.report = every, config, experiment, report
        self.looks_every = every
        self.table = GrowingTable(start, folder.path / "held_out.csv", TensorBoard(folder.tensorboard), "held_out/")

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        if step % self.every:
            return
        samples = evaluated(self.config, self.experiment.data)
        described = describe(self.experiment.model, samples, self.config)
        figures = both_directions(described, samples, self.config.data.name)
        objective = mean_map(figures)
        each = {
            f"{direction}_{name}": scores[name] for direction, scores in figures.items() for name in ("rank1", "mAP")
        }
        self.table.append(step, {OBJECTIVE: objective, **each})
        self.report(objective, step)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.table.board.close()


class WeightedModel:
    """What trials train: the configuration with other loss weights, margin and rates, `space`. All share one model: its
    graphs are traced once, and its variables put back to their initial values."""

    def __init__(self, config: Config, space: Space, intervals: int) -> None:
        self.config, self.intervals = config, intervals
        self.space = kt.HyperParameters()
        for key, span in space.items():
            self.space.Float(key, span.low, span.high, sampling="log", default=span.first)
        self._shared: tuple[Experiment, LastGood] | None = None
        self._unlearned: dict[str, Figures] | None = None

    def configuration(self, values: dict[str, Any]) -> Config:
        """The configuration of a trial with these values."""
        config = configured(self.config, values)
        epochs = int(values.get(EPOCHS, self.intervals))
        return with_values(config, {"training.steps": math.ceil(config.training.steps * epochs / self.intervals)})

    def train(self, values: dict[str, Any], folder: RunFolder, report: Report) -> Metrics:
        """Trains, or goes on training, in a trial's folder; only the first computes what needs no learning."""
        config = self.configuration(values)
        experiment = self._experiment(config)
        every = math.ceil(self.config.training.steps / self.intervals)

        def watch(start: int) -> Sequence[EachStep]:
            return [HeldOut(start, every, folder, config, experiment, report)]

        metrics = train(config, folder, True, experiment._replace(unlearned=self._unlearned), watch)
        self._unlearned = {name: metrics[name] for name in SIMPLE}
        return metrics

    def _experiment(self, config: Config) -> Experiment:
        """A trial at its beginning."""
        if self._shared is None:
            prepared = prepare(self.config)
            self._shared = prepared, LastGood(prepared.model)
        experiment, initial = self._shared
        initial.restore()
        experiment.model.adopt(config)
        return experiment


class Tuner(BaseTuner):  # type: ignore[misc]
    """Runs trials that the oracle, or the chief's oracle, hands out. runs: folder of their run folders."""

    def __init__(self, oracle: kt.Oracle, model: WeightedModel, directory: Path, runs: Path) -> None:
        self.model, self.runs = model, runs
        super().__init__(oracle, directory=str(directory), project_name="search")
        if not Path(self._get_tuner_fname()).exists():
            self.save()  # from here on a process that begins again reloads

    def save(self) -> None:
        if not self._is_worker():
            self.oracle.save()
        write_text(Path(self._get_tuner_fname()), "{}")  # it has no state of its own

    def _try_run_and_update_trial(self, trial: Trial) -> None:
        """A non-finite loss makes a trial fail; Keras Tuner itself would treat every error so."""
        try:
            self.run_trial(trial)
            trial.status = TrialStatus.COMPLETED
        except NotFiniteError as error:
            write_text(failure_note(self.runs / f"trial_{trial.trial_id}"), f"{error}\n")
            trial.status = TrialStatus.FAILED

    def run_trial(self, trial: Trial) -> None:
        """Trains a trial, or goes on with it, in its own run folder, and reports its figures."""
        values, folder = trial.hyperparameters.values, RunFolder(self.runs / f"trial_{trial.trial_id}")
        self._continue(values.get(PARENT), folder)

        def report(objective: float, step: int) -> None:
            self.oracle.update_trial(trial.trial_id, {OBJECTIVE: objective}, step)

        metrics = self.model.train(values, folder, report)
        report(float(metrics["objective"]), metrics["steps"])

    def _continue(self, parent: str | None, folder: RunFolder) -> None:
        """Begins with the weights, logs and pictures of the trial that a trial of Hyperband goes on from."""
        if parent is None or folder.path.exists():
            return
        with making_folder(folder.path) as partial:
            shutil.copytree(self.runs / f"trial_{parent}", partial, dirs_exist_ok=True)
            (partial / "metrics.json").unlink(missing_ok=True)
