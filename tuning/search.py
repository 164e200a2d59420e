"""`python -m hicmd_tf.tuning.search`: looks for loss weights, margin and learning rates with Keras Tuner."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hicmd_tf.config import Config, value_of, with_values
from hicmd_tf.config.command_line import parse
from hicmd_tf.errors import UserError, require, run_command
from hicmd_tf.files import check_writable
from hicmd_tf.tuning.processes import role
from hicmd_tf.tuning.space import SEARCHED, Space, space_of
from hicmd_tf.tuning.study import Settings, Study

KINDS = ("random", "bayesian", "hyperband")
SHARE = 5  # one of so many training identities is held out unless told otherwise
FEWEST = 2  # identities to hold out: one alone is always found


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, searches, writes and prints what was found."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    config, options = parse("hicmd_tf.tuning.search", __doc__ or "", typed, _options, {"steps": "training.steps"})
    _check(config, options)
    space = space_of(config, options.space)
    require("keras_tuner", "grpc")
    if role() != "worker":
        check_writable(Path(options.out) / "study.json")
    config = _holding_out(config)
    settings = Settings(options.tuner, config, options.intervals, space)
    study = Study(options.out, settings, options.max_trials)

    def model() -> Any:
        from hicmd_tf.tuning.tuner import WeightedModel

        return WeightedModel(config, space, options.intervals)

    command = [sys.executable, "-m", "hicmd_tf.tuning.search", *typed]
    trials = study.run(model, command, options.workers, options.resume)
    if role() != "worker":
        print(_reported(study, trials, space))


def _options(parser: Any) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to make; everything goes there")
    parser.add_argument(
        "--tuner", default="bayesian", metavar="KIND", help=f"how trials are chosen: {', '.join(KINDS)}"
    )
    parser.add_argument("--max-trials", type=int, default=30, metavar="N", help="trials in all; more extend a search")
    parser.add_argument(
        "--intervals",
        type=int,
        default=9,
        metavar="N",
        help="how often a trial of full length is evaluated; hyperband ends trials behind 1, 3, 9 .. of them",
    )
    parser.add_argument("--space", type=Path, metavar="FILE", help="YAML file of other ranges than tuning/space.py's")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes side by side on this machine")
    parser.add_argument(
        "--resume", action="store_true", help="go on with the search in DIR; begin it when there is none"
    )


def _check(config: Config, options: Any) -> None:
    if options.tuner not in KINDS:
        raise UserError(f"--tuner is {options.tuner!r}: expected {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    for name in ("max_trials", "workers", "intervals"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} is {getattr(options, name)}: expected 1 or more")
    if options.intervals > config.training.steps:
        raise UserError(f"--intervals is {options.intervals}: {config.training.steps} steps have at most so many")


def _holding_out(config: Config) -> Config:
    """The configuration with identities held out, by default one of five that would train; loads, and so prepares, the
    data before several processes want it. Raises UserError when there are too few."""
    from hicmd_tf.data.datasets import load
    from hicmd_tf.training.experiment import set_up_tensorflow

    set_up_tensorflow(config)
    data = load(config.data)
    held_out = config.data.held_out or len(set(data.train.identities.tolist())) // SHARE
    if held_out < FEWEST:
        raise UserError(
            f"data.held_out would be {held_out}: of {len(set(data.train.identities.tolist()))} training identities at "
            f"least {FEWEST} must be held out to choose settings by; take more identities or set it"
        )
    return with_values(config, {"data.held_out": held_out})


def _reported(study: Study, trials: dict[str, Any], space: Space) -> str:
    """The report of all trials, ended or failed."""
    from hicmd_tf.tuning.oracles import reason
    from hicmd_tf.tuning.report import Outcome, write_report
    from hicmd_tf.tuning.tuner import WeightedModel

    model = WeightedModel(study.settings.config, space, study.settings.intervals)
    outcomes = []
    for name, trial in trials.items():
        config = model.configuration(trial.hyperparameters.values)
        values = {key: value_of(config, key) for key in SEARCHED}
        why = "" if trial.score is not None else reason(trial, study.runs)
        outcomes.append(Outcome(name, trial.score, config, values, why))
    return write_report(study.out, outcomes, space, study.settings.config.seed, _unlearned(study.settings.config))


def _unlearned(config: Config) -> dict[str, float]:
    """The objective of what needs no learning, by name."""
    from hicmd_tf.data.datasets import load
    from hicmd_tf.retrieval.baselines import simple_figures
    from hicmd_tf.retrieval.objective import all_against_all, mean_map
    from hicmd_tf.training.experiment import evaluated

    samples = evaluated(config, load(config.data))
    searches = all_against_all(samples, config.data.name)
    found = simple_figures(samples, searches, config.data.height, config.data.width)
    return {name: mean_map(figures) for name, figures in found.items()}


if __name__ == "__main__":
    run_command(main)
