"""`hicmd tune`: looks for loss weights, margin and learning rates with Keras Tuner."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hicmd_tf.config import Config
from hicmd_tf.config.command_line import parse
from hicmd_tf.errors import UserError

KINDS = ("random", "bayesian", "hyperband")


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, searches, writes and prints what was found."""
    config, options = parse("hicmd tune", __doc__ or "", arguments, _options, {"steps": "training.steps"})
    _check(config, options)
    from hicmd_tf.tuning.search import search
    from hicmd_tf.tuning.space import space_of

    report = search(
        config,
        space_of(config, options.space),
        options.out,
        [sys.executable, "-m", "hicmd_tf", "tune", *arguments],
        options.tuner,
        options.max_trials,
        options.intervals,
        options.workers,
        options.resume,
    )
    if report is not None:
        print(report)


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
        help="how often a trial of full length is evaluated; hyperband ends trials after 1, 3, 9 .. of them",
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
