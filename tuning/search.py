"""A search for loss weights, margin and learning rates with Keras Tuner."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hicmd_tf.config import Config, value_of, with_values
from hicmd_tf.errors import UserError, require
from hicmd_tf.files import check_writable
from hicmd_tf.runs.origin import data_hashes
from hicmd_tf.tuning.processes import role
from hicmd_tf.tuning.space import SEARCHED, Space
from hicmd_tf.tuning.study import Settings, Study, holds_study, prepared

SHARE = 5  # one of so many training identities is held out by default
FEWEST = 2  # identities to hold out: one alone is always found


def search(
    config: Config,
    space: Space,
    out: Path,
    command: Sequence[str],
    tuner: str,
    max_trials: int,
    intervals: int,
    workers: int,
    resume: bool,
) -> str | None:
    """Searches, and writes what was found into a folder; its report, or None in a worker's process.

    config: what a trial trains, but for the settings of the space. command: what starts this again, as a worker. tuner:
    random, bayesian or hyperband. intervals: how often a trial is evaluated. workers: processes on this machine.
    resume: whether a search in the folder goes on. Raises UserError for settings that it can't search with.
    """
    require("keras_tuner", "grpc")
    if role() != "worker":  # mistakes come before TensorFlow and pictures, which take their time
        holds_study(out, resume)
        check_writable(out / "study.json")
    config, pictures = _holding_out(config)
    study = Study(out, Settings(tuner, config, intervals, space, pictures), max_trials)

    def model() -> Any:
        from hicmd_tf.tuning.tuner import WeightedModel

        return WeightedModel(config, space, intervals)

    trials = study.run(model, command, workers, resume)
    return None if role() == "worker" else _reported(study, trials, model())


def _holding_out(config: Config) -> tuple[Config, dict[str, str]]:
    """The configuration with identities held out, by default one of five that would train, and its pictures' hashes.
    What is loaded here is prepared before several processes want it. Raises UserError when there are too few."""
    data = prepared(config)
    training = len(set(data.train.identities.tolist()))
    held_out = config.data.held_out or training // SHARE
    if held_out < FEWEST:
        raise UserError(
            f"data.held_out would be {held_out}: of {training} training identities at least {FEWEST} must be held out "
            f"to choose settings by; take more identities or set it"
        )
    chosen = with_values(config, {"data.held_out": held_out})
    return chosen, data_hashes(chosen, data if chosen == config else prepared(chosen))


def _reported(study: Study, trials: dict[str, Any], model: Any) -> str:
    """The report of all trials, ended or failed."""
    from hicmd_tf.tuning.oracles import reason
    from hicmd_tf.tuning.report import Outcome, write_report

    outcomes = []
    for name, trial in trials.items():
        config = model.configuration(trial.hyperparameters.values)
        values = {key: value_of(config, key) for key in SEARCHED}
        why = "" if trial.score is not None else reason(trial, study.runs)
        outcomes.append(Outcome(name, trial.score, config, values, why))
    config, space = study.settings.config, study.settings.space
    return write_report(study.out, outcomes, space, config.seed, _unlearned(config))


def _unlearned(config: Config) -> dict[str, float]:
    """The objective of what needs no learning, by name."""
    from hicmd_tf.data.datasets import evaluated, load
    from hicmd_tf.data.searches import all_against_all
    from hicmd_tf.data.sources import DATA_SETS
    from hicmd_tf.retrieval.baselines import simple_figures
    from hicmd_tf.retrieval.evaluation import mean_map

    samples = evaluated(config, load(config.data))
    searches = all_against_all(samples, DATA_SETS[config.data.name].protocol)
    found = simple_figures(samples, searches, config.data.height, config.data.width)
    return {name: mean_map(figures) for name, figures in found.items()}
