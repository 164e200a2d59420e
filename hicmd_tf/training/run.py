"""A whole run: from a configuration to a folder with a trained model and its figures."""

import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hicmd_tf.config import Config, flattened, to_dict, with_values
from hicmd_tf.config.kinds import EMBEDDING, HICMD
from hicmd_tf.config.validation import value_of
from hicmd_tf.data.batches import evaluation_batches
from hicmd_tf.data.datasets import evaluated, published
from hicmd_tf.data.duplicates import reported
from hicmd_tf.data.samples import Samples
from hicmd_tf.engines.chosen import Learner, Workers, card_memory, cluster, describing
from hicmd_tf.errors import UserError
from hicmd_tf.files import alone, write_json
from hicmd_tf.pictures.sheet import save_png
from hicmd_tf.retrieval.embed import descriptors
from hicmd_tf.retrieval.evaluation import evaluate, main_figures
from hicmd_tf.runs.changes import NOTHING
from hicmd_tf.runs.checkpoints import Checkpoint, newest, write
from hicmd_tf.runs.costs import BESIDE, Costs, peak_memory, read_costs, write_costs
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.initial import Initial, read_initial, words
from hicmd_tf.runs.metrics import Metrics, metrics_of
from hicmd_tf.runs.origin import data_hashes, refuse_other_pictures
from hicmd_tf.runs.trained import Earlier, Trained, read_trained, refuse_trained, written
from hicmd_tf.training.callbacks import EachStep, Every, Interruption, ProgressBar
from hicmd_tf.training.collapse import Collapse
from hicmd_tf.training.experiment import Experiment, descriptor_in_full_precision, frozen_at_random, prepare
from hicmd_tf.training.failure import START_AGAIN, write_failure
from hicmd_tf.training.logs import GrowingTable, LossTable, Means, TensorBoard
from hicmd_tf.training.loop import iterate
from hicmd_tf.training.projector import Projector
from hicmd_tf.training.reconstructions import Reconstructions
from hicmd_tf.training.stopwatch import Stopwatch

Array = np.ndarray[Any, Any]
RATE = {HICMD: "optimisers.generator_rate", EMBEDDING: "embedding.rate"}
"""The rate of most weights, by method."""
Watch = Callable[[int], Sequence[EachStep]]
ROUNDS = 3  # in which describing is measured


class Interrupted(Exception):  # noqa: N818 (no error)
    """The run was asked to stop and did, with a checkpoint; it says after which step."""


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

    Args:
        config: what is to be trained; a run that goes on must agree.
        folder: everything goes in there.
        resume: whether the folder may hold a run, to go on from its newest checkpoint.
        experiment: prepared for this configuration, with initial weights; None prepares it.
        watch: further callbacks of a training that begins at a step.
        changes: settings, by dotted name, that the steps to come are made with other values of.

    Raises:
        UserError: for what the user can mend, another process that trains in the folder among it.
        Interrupted: when asked to stop.
    """
    now = folder.check(config, resume, changes)
    _refuse_unshared(with_values(config, changes), now)
    in_use = f"{folder.path} is in use by another process: let it end, or name another folder with --run"
    with folder.unless_refused(), alone(folder.lock, in_use):
        found = newest(folder.checkpoints)  # where all are damaged, nothing in the folder is to be changed
        start = 0 if found is None else found.step
        if found is not None and start < now.training.steps:
            _tell_of_another_engine(folder, now)
        if changes and start >= now.training.steps and folder.open() != now:
            raise UserError(
                f"{folder.path} has all its {start} steps: what changes holds for later ones, ask for more with --steps"
            )
        initial = read_initial(now) if found is None else None
        ready = experiment or _prepared(now)
        if initial is not None:
            others = "begin with weights that have not seen these people"
            refuse_trained(initial.trained, now, evaluated(now, ready.data), others)
        hashes = data_hashes(now, ready.data)  # data that are refused leave no folder behind
        refuse_other_pictures(folder.known_pictures() or hashes, hashes, folder.path)
        folder.begin(config, resume, changes, start)
        training = ready.data.train
        people = written(Trained.of(now, training, _seen_before(folder, initial)), training.texts)
        write_json(folder.identities, {**people, "data_sha256": hashes})
        run = _Run(now, folder, ready, found, initial)
        if run.start < now.training.steps:
            iterate(ready, run.start, now.training.steps, run.watchers(watch(run.start)), run.report)
            run.finish()
        run.measure()
        step, described = ready.model.step, run.describe()
        metrics = metrics_of(now, folder, ready.data, step, described, ready.unlearned, run.describe_others)
        write_json(folder.metrics, metrics)
        run.workers.anyone(False)  # the chief, which evaluates, comes last: who ended earlier would be taken for lost
    return metrics


def _seen_before(folder: RunFolder, initial: Initial | None) -> Earlier:
    """Whom the weights had seen that the run began, or begins, with."""
    if initial is not None:
        return initial.trained.by_data_set() if initial.trained else {}
    begun = read_trained(folder.identities)
    return begun.earlier if begun else {}


def _tell_of_another_engine(folder: RunFolder, now: Config) -> None:
    before, engine = folder.open().training.engine, now.training.engine
    if before != engine:
        warnings.warn(
            f"{folder.path} was trained with {before} so far: {engine} goes on, and differs in the last digits",
            stacklevel=1,
        )


def _refuse_unshared(said: Config, meant: Config) -> None:
    """Several workers train with what their commands say, for only the chief reads the run folder."""
    if cluster().workers > 1:
        given = dict(flattened(to_dict(said)))
        for key, value in flattened(to_dict(meant)):
            if given[key] != value:
                raise UserError(
                    f"{key} changed to {value} in the run: give --{key} {value} to the command of every worker"
                )


def _prepared(config: Config) -> Experiment:
    """As `prepare`, with a warning of pictures that make figures better, or worse, than they are."""
    experiment = prepare(config)
    for line in reported(experiment.data.unchecked):
        warnings.warn(f"{line} (hicmd check looks for more)", stacklevel=1)
    return experiment


def assist(config: Config) -> None:
    """The part of a worker that is not the chief: it trains as `train` does, and neither reads nor writes a run folder.

    Raises UserError for what the user can mend, Interrupted when any worker was asked to stop.
    """
    experiment = prepare(config)
    workers = Workers(experiment.model)
    start = _join(experiment, workers)
    if start < config.training.steps:
        iterate(experiment, start, config.training.steps, [Interruption(start)])
        if experiment.model.step < config.training.steps:
            raise Interrupted(f"stopped at step {experiment.model.step}")
    workers.anyone(False)


def _join(experiment: Experiment, workers: Workers) -> int:
    """Begins where the chief does; says at which step."""
    workers.take_chiefs(list(experiment.model.state.values()))
    return experiment.model.step


class _Run:
    """A run in its folder, and what watches it. start: steps that it has already."""

    def __init__(
        self,
        config: Config,
        folder: RunFolder,
        experiment: Experiment,
        found: Checkpoint | None,
        initial: Initial | None,
    ) -> None:
        self.config, self.folder, self.experiment = config, folder, experiment
        self.samples = evaluated(config, experiment.data)
        self.notes = {} if found is None else found.notes
        self.saved = None if found is None else found.step
        if config.training.frozen:
            stay = "whose weights stay as they begin"
            print(f"frozen: {', '.join(config.training.frozen)}, {stay}", file=sys.stderr)
        if found is None:
            random = frozen_at_random(config)
            if random:
                warnings.warn(random, stacklevel=1)
            write_json(folder.untrained, self.figures(self.describe()))
            if initial is not None:
                told = initial.fill(experiment.model.networks)
                print(words(told), file=sys.stderr)
                write_json(folder.initial, {**told, "figures": self.figures(self.describe())})
        else:
            found.fill(experiment.model.state)
        self.workers = Workers(experiment.model)
        self.start = _join(experiment, self.workers)
        self.before = None if found is None else read_costs(folder.costs)
        self.stopwatch = Stopwatch(self.start, self.before)

    def describe(self) -> Array:
        """Descriptors of the pictures that figures are computed on."""
        return describe(self.experiment.model, self.samples, self.config)

    def describe_others(self, samples: Samples) -> Array:
        """Descriptors of other pictures."""
        return describe(self.experiment.model, samples, self.config)

    def figures(self, described: Array) -> dict[str, dict[str, float]]:
        """The main figures. Raises UserError where the networks have diverged or collapsed."""
        searches = published(self.config.data, self.samples)
        try:
            return main_figures(evaluate(described, self.samples, searches))
        except UserError as error:  # searches were looked at before
            step = self.experiment.model.step
            advice = START_AGAIN if step else "look at the initial weights, or begin with another seed"
            raise UserError(f"step {step}: {error}; {advice}") from error

    def watchers(self, further: Sequence[EachStep]) -> list[EachStep]:
        """All callbacks, in the order in which they see a step."""
        start, training, folder, data = self.start, self.config.training, self.folder, self.config.data
        board = TensorBoard(folder.tensorboard)
        self.grid: Reconstructions | None = None
        if self.config.method == HICMD:
            self.grid = Reconstructions(self.experiment.model.reconstruct, self.samples, data.height, data.width)
        projector = Projector(folder.tensorboard, self.samples)
        evaluations = GrowingTable(start, folder.evaluations, board, "evaluation/")
        self.means: list[Means] = [
            LossTable(start, training.log_every, folder.losses, board),
            Collapse(start, training.watch_every, folder.warnings),
        ]
        for one in self.means:
            if type(one).__name__ in self.notes:
                one.remember(self.notes[type(one).__name__])

        def draw(step: int) -> None:
            if self.grid is None:
                return
            with self.stopwatch.aside():
                picture = self.grid.draw()
                save_png(picture, folder.pictures / f"step_{step:07d}.png")
                board.picture(step, "pictures", picture)

        def judge(step: int) -> None:
            self.stopwatch.read(step)
            with self.stopwatch.aside():
                described = self.describe()
                projector.update(described)
                figures = {
                    f"{direction}_{name}": value
                    for direction, of in self.figures(described).items()
                    for name, value in of.items()
                }
                evaluations.append(step, figures)

        return [
            self.stopwatch,
            *self.means,
            Every(start, training.picture_every, draw),
            Every(start, training.picture_every, judge),
            *further,
            Every(start, training.checkpoint_every, self.save),
            ProgressBar(start, training.steps),
            Interruption(start),
        ]

    def save(self, step: int) -> None:
        """Writes a checkpoint unless there is one, with what the means must know to go on. Raises UserError."""
        self.stopwatch.read(step)
        if step != self.saved:
            with self.stopwatch.aside():
                write_costs(self.folder.costs, self.costs())  # first: a checkpoint without would have no time
                notes = {type(one).__name__: one.memory() for one in self.means}
                state, keep = self.experiment.model.state, self.config.training.keep_checkpoints
                write(self.folder.checkpoints, step, state, notes, keep)
                self.saved = step

    def costs(self, describing_ms: float | None = None) -> Costs:
        """What the run took so far. Of several workers it is the chief's part."""
        model, before = self.experiment.model, self.before
        cards = [card for card in (card_memory(), before and before.card_bytes) if card is not None]
        describing, trained = model.descriptor.weights, [w for of in model.trained().values() for w in of]
        parameters = {"describing": describing, "trained": trained}
        return Costs(
            self.stopwatch.clock,
            max(peak_memory(), before.memory_bytes if before else 0),
            max(cards, default=None),
            describing_ms,
            {name: sum(int(np.prod(one.shape)) for one in of) for name, of in parameters.items()},
            BESIDE in os.environ or (before is not None and before.beside),
        )

    def measure(self) -> None:
        """Adds to the costs how long one of a batch of pictures in memory takes to be described, the shortest of some
        rounds; not of a run that trained before, and has it or no costs at all."""
        config, before = self.config, self.before
        if self.start == config.training.steps and (before is None or before.describing_ms is not None):
            return
        describe = describing(descriptor_in_full_precision(self.experiment.model))
        modality, batch = self.samples.modality(0), config.training.embed_batch
        some = self.samples.select(np.flatnonzero(self.samples.infrared == self.samples.infrared[0])[:batch])
        pictures = next(evaluation_batches(some, config.data.height, config.data.width, batch))
        seconds = []
        for _ in range(1 + ROUNDS):
            begin = time.perf_counter()
            describe(modality, pictures)
            seconds.append(time.perf_counter() - begin)
        write_costs(self.folder.costs, self.costs(1000 * min(seconds[1:]) / len(pictures)))  # the first one compiles

    def report(self, step: int, losses: dict[str, float], spoilt: list[str]) -> str:
        """Keeps a step that gave non-finite numbers, and says what to do."""
        key = RATE[self.config.method]
        advice = (
            f"go on from the newest checkpoint with other rates, such as {self.folder.go_on} --change "
            f"{key}={value_of(self.config, key) / 2:g}"
        )
        try:
            pictures = write_failure(self.folder.failure, self.experiment, step, losses, spoilt)
        except UserError as error:
            return f"the step can't be kept to be looked at ({error}); {advice}"
        return (
            f"its batch was {pictures}. Nothing of this step counts: look at it with hicmd replay --run "
            f"{self.folder.path}, then {advice}"
        )

    def finish(self) -> None:
        """The last checkpoint and pictures. Raises Interrupted when steps are left."""
        step = self.experiment.model.step
        self.save(step)
        if step < self.config.training.steps:
            raise Interrupted(f"stopped at step {step}")
        if self.grid is not None:
            save_png(self.grid.draw(), self.folder.pictures / "final.png")


def describe(model: Learner, samples: Samples, config: Config) -> Array:
    """Descriptors (N, E) of the samples in the configuration's size, computed in full precision."""
    describe = describing(descriptor_in_full_precision(model))
    return descriptors(describe, samples, config.data.height, config.data.width, config.training.embed_batch)
