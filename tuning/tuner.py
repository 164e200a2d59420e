"""Trials as run folders: what Keras Tuner's loop calls for each, alone or as one of several workers."""

import math
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import keras_tuner as kt
import tensorflow as tf
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus
from tensorboard.plugins.hparams import api as hparams

from hicmd_tf.config import Config, with_values
from hicmd_tf.data.datasets import evaluated
from hicmd_tf.engines.chosen import HiCMD
from hicmd_tf.files import making_folder, write_text
from hicmd_tf.retrieval.baselines import SIMPLE, Figures
from hicmd_tf.retrieval.evaluation import both_directions, mean_map
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.metrics import Metrics
from hicmd_tf.training.callbacks import EachStep, GrowingTable, NotFiniteError
from hicmd_tf.training.experiment import Experiment, InitialState, prepare
from hicmd_tf.training.run import Watch, describe, no_further_callbacks, train
from hicmd_tf.tuning.oracles import OBJECTIVE, failure_note
from hicmd_tf.tuning.space import Space, configured

Report = Callable[[float, int], None]

EPOCHS, PARENT = "tuner/epochs", "tuner/trial_id"  # what Hyperband adds to a trial's values


class HeldOut(EachStep):
    """Every `every` iterations the figures of the held-out identities: held_out.csv, TensorBoard, and the oracle."""

    def __init__(
        self, start: int, every: int, folder: RunFolder, config: Config, experiment: Experiment, report: Report
    ):
        super().__init__(start)
        self.every, self.config, self.experiment, self.report = every, config, experiment, report
        self.table = GrowingTable(start, folder.path / "held_out.csv", folder.tensorboard, "held_out/")

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
        self.table.flush()
        self.report(objective, step)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.table.close()


class Model(kt.HyperModel, ABC):  # type: ignore[misc]
    """A hypermodel whose trials are run folders."""

    experiment: Experiment
    unlearned: dict[str, Figures] | None = None

    @abstractmethod
    def configuration(self, values: dict[str, Any]) -> Config:
        """What a trial with these values trains."""

    @abstractmethod
    def build(self, hp: kt.HyperParameters) -> HiCMD:
        """The model at the beginning of a trial."""

    @abstractmethod
    def objective(self, metrics: Metrics) -> float:
        """The figure to be maximised, from metrics.json."""

    @abstractmethod
    def watch(self, hp: kt.HyperParameters, folder: RunFolder, report: Report) -> Watch:
        """Further callbacks of a trial. report: takes the objective and the step that it is of."""

    def fit(self, hp: kt.HyperParameters, model: HiCMD, folder: RunFolder, watch: Watch) -> Metrics:
        """Trains, or goes on training, in the trial's folder; only the first computes what needs no learning."""
        experiment = self.experiment._replace(unlearned=self.unlearned)
        metrics = train(self.configuration(hp.values), folder, True, experiment, watch)
        self.unlearned = {name: metrics[name] for name in SIMPLE}
        return metrics


class WeightedModel(Model):
    """Hi-CMD with other loss weights, margin and rates. All trials share one model: its graphs are traced once, and its
    variables put back to their initial values."""

    def __init__(self, config: Config, space: Space, intervals: int) -> None:
        super().__init__()
        self.config, self.intervals = config, intervals
        self.space = kt.HyperParameters()
        for key, span in space.items():
            self.space.Float(key, span.low, span.high, sampling="log", default=span.first)
        self._initial: InitialState | None = None

    def configuration(self, values: dict[str, Any]) -> Config:
        config = configured(self.config, values)
        epochs = int(values.get(EPOCHS, self.intervals))
        return with_values(config, {"training.steps": math.ceil(config.training.steps * epochs / self.intervals)})

    def build(self, hp: kt.HyperParameters) -> HiCMD:
        if self._initial is None:
            self.experiment = prepare(self.config)
            self._initial = InitialState(self.experiment.model)
        self._initial.restore()
        self.experiment.model.adopt(self.configuration(hp.values))
        return self.experiment.model

    def objective(self, metrics: Metrics) -> float:
        return float(metrics["objective"])

    def watch(self, hp: kt.HyperParameters, folder: RunFolder, report: Report) -> Watch:
        config = self.configuration(hp.values)
        every = math.ceil(self.config.training.steps / self.intervals)
        return lambda start: [HeldOut(start, every, folder, config, self.experiment, report)]


class GridModel(Model):
    """Hi-CMD in every combination of choices. configured: makes a trial's configuration of the base's and values."""

    def __init__(self, config: Config, choices: dict[str, list[Any]], configured: Callable[..., Config]) -> None:
        super().__init__()
        self.config, self.configured = config, configured
        self.space = kt.HyperParameters()
        for name, values in choices.items():
            self.space.Choice(name, values)

    def configuration(self, values: dict[str, Any]) -> Config:
        return self.configured(self.config, values)

    def build(self, hp: kt.HyperParameters) -> HiCMD:
        keras.utils.clear_session()  # the model before
        self.experiment = prepare(self.configuration(hp.values))
        return self.experiment.model

    def objective(self, metrics: Metrics) -> float:
        return mean_map({direction: metrics[direction] for direction in metrics if "_to_" in direction})

    def watch(self, hp: kt.HyperParameters, folder: RunFolder, report: Report) -> Watch:
        return no_further_callbacks


class Tuner(BaseTuner):  # type: ignore[misc]
    """Runs trials that the oracle, or the chief's oracle, hands out. runs: folder of their run folders."""

    def __init__(self, oracle: kt.Oracle, model: Model, directory: Path, runs: Path) -> None:
        self.runs = runs
        super().__init__(oracle, model, directory=str(directory), project_name="search")
        if not Path(self._get_tuner_fname()).exists():
            self.save()  # from here on a process that begins again reloads

    def _populate_initial_space(self) -> None:
        """Nothing: the oracle has the whole space already, and building networks would not tell more."""

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
        hp, folder = trial.hyperparameters, RunFolder(self.runs / f"trial_{trial.trial_id}")
        self._continue(hp.values.get(PARENT), folder)
        model = self.hypermodel.build(hp)

        def report(objective: float, step: int) -> None:
            self.oracle.update_trial(trial.trial_id, {OBJECTIVE: objective}, step)

        def watch(start: int) -> Sequence[EachStep]:
            _show_values(trial, folder)
            return self.hypermodel.watch(hp, folder, report)(start)

        metrics = self.hypermodel.fit(hp, model, folder, watch)
        report(self.hypermodel.objective(metrics), metrics["steps"])

    def _continue(self, parent: str | None, folder: RunFolder) -> None:
        """Begins with the weights, logs and pictures of the trial that a trial of Hyperband goes on from."""
        if parent is None or folder.path.exists():
            return
        with making_folder(folder.path) as partial:
            shutil.copytree(self.runs / f"trial_{parent}", partial, dirs_exist_ok=True)
            (partial / "metrics.json").unlink(missing_ok=True)


def _show_values(trial: Trial, folder: RunFolder) -> None:
    """Tells TensorBoard's table of hyperparameters."""
    values = trial.hyperparameters.values
    names: Sequence[str] = [hp.name for hp in trial.hyperparameters.space]
    writer = tf.summary.create_file_writer(str(folder.tensorboard))
    with writer.as_default():
        hparams.hparams({name: values[name] for name in names}, trial_id=trial.trial_id)
    writer.close()
