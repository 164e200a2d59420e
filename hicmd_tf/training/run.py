"""A whole run: from a configuration to a folder with a trained model and its figures."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hicmd_tf.config import Config, flattened, to_dict, with_values
from hicmd_tf.data.datasets import evaluated, published
from hicmd_tf.data.duplicates import reported, seen
from hicmd_tf.data.samples import Samples
from hicmd_tf.engines.tensorflow.devices import Workers, cluster, reporting_lost_workers
from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.errors import UserError
from hicmd_tf.files import alone, write_json
from hicmd_tf.pictures.sheet import save_png
from hicmd_tf.retrieval.embed import descriptors
from hicmd_tf.retrieval.evaluation import Row, evaluate, main_figures
from hicmd_tf.runs.checkpoints import Checkpoint, Checkpoints, newest
from hicmd_tf.runs.folder import NOTHING, RunFolder
from hicmd_tf.runs.metrics import Metrics, metrics_of
from hicmd_tf.runs.origin import data_hashes, refuse_other_pictures
from hicmd_tf.runs.trained import Trained, written
from hicmd_tf.training.callbacks import (
    EachStep,
    Evaluations,
    Interruption,
    LossTable,
    PictureGrid,
    ProgressBar,
    SaveCheckpoints,
    StopAtNonFinite,
    remember,
)
from hicmd_tf.training.collapse import Collapse
from hicmd_tf.training.experiment import Experiment, descriptor_in_full_precision, prepare
from hicmd_tf.training.failure import write_failure
from hicmd_tf.training.loop import iterate
from hicmd_tf.training.projector import Projector
from hicmd_tf.visualize.reconstructions import Reconstructions

Array = np.ndarray[Any, Any]
Watch = Callable[[int], Sequence[EachStep]]


class Interrupted(Exception):  # noqa: N818 (no error)
    """The run was asked to stop and did, with a checkpoint. `step` iterations are done."""

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped at step {step}")
        self.step = step


def no_further_callbacks(start: int) -> Sequence[EachStep]:
    """Nobody else watches."""
    return ()


def train(
    config: Config,
    folder: RunFolder,
    resume: bool = False,
    experiment: Experiment | None = None,
    watch: Watch = no_further_callbacks,
    changes: Mapping[str, Any] = NOTHING,
) -> Metrics:
    """Trains, or goes on training, and evaluates; returns what metrics.json says. Of several workers the chief's part.

    experiment: prepared for this configuration, with initial weights; None prepares it. watch: further callbacks of a
    training that begins at a step. changes: settings, by dotted name, that the steps to come are made with other values
    of. Raises UserError for what the user can mend, another process that trains in the folder among it, Interrupted
    when asked to stop.
    """
    now = folder.check(config, resume, changes)
    _refuse_unshared(config, changes, now)
    with (
        folder.unless_refused(),
        alone(
            folder.lock, f"{folder.path} is in use by another process: let it end, or name another folder with --run"
        ),
    ):
        found = newest(folder.checkpoints)  # where all are damaged, nothing in the folder is to be changed
        start = 0 if found is None else found.step
        if changes and start >= now.training.steps and folder.open() != now:
            raise UserError(
                f"{folder.path} has all its {start} steps: what changes holds for later ones, ask for more with --steps"
            )
        ready = experiment or _prepared(now)  # before the folder is begun: data that are refused leave none behind
        _refuse_other_pictures(folder, now, ready)
        folder.begin(config, resume, changes, start)
        return _train_alone(now, folder, ready, watch, found)


def _refuse_unshared(config: Config, changes: Mapping[str, Any], now: Config) -> None:
    """Several workers train with what their commands say, for only the chief reads the run folder."""
    if cluster().workers == 1:
        return
    said, meant = (dict(flattened(to_dict(one))) for one in (with_values(config, changes), now))
    for key, value in meant.items():
        if said[key] != value:
            raise UserError(f"{key} changed to {value} in the run: give --{key} {value} to the command of every worker")


def _refuse_other_pictures(folder: RunFolder, config: Config, experiment: Experiment) -> None:
    """Wherever the pictures are by now, they must be those that the run was made with, as far as that is known."""
    if not folder.config.exists():
        return
    known = folder.known_pictures()
    if known is not None:
        refuse_other_pictures(known, data_hashes(config, experiment.data), folder.path)
    elif config.data.source != folder.begun().data.source:
        warnings.warn(
            f"{folder.path} does not say which pictures it was begun with: those in {config.data.source} are taken for "
            f"the same",
            stacklevel=1,
        )


def _prepared(config: Config) -> Experiment:
    """As `prepare`, with a warning of pictures that make figures better, or worse, than they are."""
    experiment = prepare(config)
    for line in reported(seen(experiment.data)):
        warnings.warn(f"{line} (hicmd check looks for more)", stacklevel=1)
    return experiment


def assist(config: Config) -> None:
    """The part of a worker that is not the chief: it trains as `train` does, and neither reads nor writes a run folder.

    Raises UserError for what the user can mend, Interrupted when any worker was asked to stop.
    """
    experiment = prepare(config)
    workers = Workers(experiment.model.distribute_strategy)
    start = _join(experiment, workers)
    if start < config.training.steps:
        watching = [StopAtNonFinite(start), Interruption(start)]
        iterate(experiment, workers, start, config.training.steps, watching)
        if experiment.model.step < config.training.steps:
            raise Interrupted(experiment.model.step)
    _wait_for_all(workers)


def _join(experiment: Experiment, workers: Workers) -> int:
    """Begins where the chief does; says at which step."""
    with reporting_lost_workers(workers.place.workers):
        workers.take_chiefs(list(experiment.model.state.values()))
    return experiment.model.step


def _wait_for_all(workers: Workers) -> None:
    """The chief, which evaluates, comes last: a worker that ended earlier would be taken for a lost one."""
    with reporting_lost_workers(workers.place.workers):
        workers.anyone(False)


def _train_alone(
    config: Config, folder: RunFolder, experiment: Experiment, watch: Watch, found: Checkpoint | None
) -> Metrics:
    training = experiment.data.train
    hashes = {"data_sha256": data_hashes(config, experiment.data)}
    write_json(folder.identities, {**written(Trained.of(config, training), training.texts), **hashes})
    checkpoints = Checkpoints(experiment.model, folder.checkpoints, config.training.keep_checkpoints)
    if found is None:
        samples = evaluated(config, experiment.data)
        described = describe(experiment.model, samples, config)
        write_json(folder.untrained, main_figures(_rows(described, samples, config)))
    else:
        checkpoints.restore(found)
    workers = Workers(experiment.model.distribute_strategy)
    start = _join(experiment, workers)
    if start < config.training.steps:
        _train_on(config, folder, experiment, workers, checkpoints, watch(start))
    described = describe(experiment.model, evaluated(config, experiment.data), config)
    metrics = metrics_of(config, folder, experiment.data, experiment.model.step, described, experiment.unlearned)
    write_json(folder.metrics, metrics)
    _wait_for_all(workers)
    return metrics


def _train_on(
    config: Config,
    folder: RunFolder,
    experiment: Experiment,
    workers: Workers,
    checkpoints: Checkpoints,
    further: Sequence[EachStep],
) -> None:
    start, training = experiment.model.step, config.training
    samples = evaluated(config, experiment.data)
    grid = Reconstructions(experiment.model.reconstruct, samples, config.data.height, config.data.width)
    projector = Projector(folder.tensorboard, samples)

    def judge_now() -> dict[str, float]:
        described = describe(experiment.model, samples, config)
        projector.update(described)
        return by_direction(main_figures(_rows(described, samples, config)))

    def report(step: int, losses: dict[str, float], spoilt: list[str]) -> str:
        rate = config.optimisers.generator_rate / 2
        advice = (
            f"go on from the newest checkpoint with other rates, such as {folder.go_on} --change "
            f"optimisers.generator_rate={rate:g}"
        )
        try:
            pictures = write_failure(folder.failure, experiment, step, losses, spoilt)
        except UserError as error:
            return f"the step can't be kept to be looked at ({error}); {advice}"
        return (
            f"its batch was {pictures}. Nothing of this step counts: look at it with hicmd replay --run "
            f"{folder.path}, then {advice}"
        )

    logs: list[EachStep] = [
        LossTable(start, training.log_every, folder.losses, folder.tensorboard),
        Collapse(start, training.watch_every, folder.warnings),
    ]
    remember(logs, checkpoints.notes)
    saving = SaveCheckpoints(start, training.checkpoint_every, checkpoints, logs)
    watching = [
        StopAtNonFinite(start, report),
        *logs,
        PictureGrid(start, training.picture_every, folder.pictures, folder.tensorboard, grid.draw),
        Evaluations(start, training.picture_every, folder.evaluations, folder.tensorboard, judge_now),
        *further,
        saving,
        ProgressBar(start, training.steps),
        Interruption(start),
    ]
    iterate(experiment, workers, start, training.steps, watching)
    saving.save()
    if experiment.model.step < training.steps:
        raise Interrupted(experiment.model.step)
    save_png(grid.draw(), folder.pictures / "final.png")


def describe(model: HiCMD, samples: Samples, config: Config) -> Array:
    """Descriptors (N, E) of the samples in the configuration's size, computed in full precision."""
    return descriptors(
        descriptor_in_full_precision(model), samples, config.data.height, config.data.width, config.training.embed_batch
    )


def _rows(described: Array, samples: Samples, config: Config) -> list[Row]:
    """Figures in every setting that the data set's published tables have."""
    return evaluate(described, samples, published(config.data, samples))


def by_direction(figures: dict[str, dict[str, float]]) -> dict[str, float]:
    """Figures by direction as columns of a table: visible_to_infrared_rank1 and so on."""
    return {f"{direction}_{name}": value for direction, of in figures.items() for name, value in of.items()}
