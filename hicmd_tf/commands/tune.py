"""`hicmd tune`: looks for loss weights, margin and learning rates with Keras Tuner."""

import sys
from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.arguments import Parser, positive
from hicmd_tf.config.command_line import parse
from hicmd_tf.errors import UserError
from hicmd_tf.startup import choose_engine

SHORT = {"steps": "training.steps", "engine": "training.engine"}
KINDS = ("random", "bayesian", "hyperband")


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, searches, writes and prints what was found."""
    config, options = parse("hicmd tune", __doc__ or "", arguments, _options, SHORT)
    if options.intervals > config.training.steps:
        steps = config.training.steps
        raise UserError(f"--intervals is {options.intervals}, more than training.steps, {steps}: give at most {steps}")
    choose_engine(config.training.engine)
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


def _options(parser: Parser) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder to make; everything goes there")
    add("--tuner", choices=KINDS, default="bayesian", help="how trials are chosen (default: %(default)s)")
    add("--max-trials", type=positive, default=30, metavar="N", help="in all; more extend a search (default: 30)")
    add(
        "--intervals",
        type=positive,
        default=9,
        metavar="N",
        help="evaluations of a trial of full length; hyperband ends trials after 1, 3, 9 .. of them (default: 9)",
    )
    add("--space", type=Path, metavar="FILE", help="YAML file of other ranges than the settings' own (docs/tuning.md)")
    add("--workers", type=positive, default=1, metavar="N", help="processes side by side on this machine (default: 1)")
    add("--resume", action="store_true", help="go on with the search in DIR; begin it when there is none")
