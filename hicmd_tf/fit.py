"""`python -m hicmd_tf.fit`: trains a configuration into a run folder, and evaluates it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hicmd_tf.config.command_line import parse
from hicmd_tf.errors import run_command

INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, trains, prints the figures."""
    config, options = parse("hicmd_tf.fit", __doc__ or "", arguments, _options, {"steps": "training.steps"})
    from hicmd_tf.retrieval.report import table  # TensorFlow's import takes seconds: --help and mistakes come first
    from hicmd_tf.training.run import Interrupted, figures, train
    from hicmd_tf.training.run_folder import RunFolder

    try:
        metrics = train(config, RunFolder(Path(options.run)), resume=options.resume)
    except Interrupted as interrupted:
        print(f"{interrupted}; go on with the same command and --resume", file=sys.stderr)
        sys.exit(INTERRUPTED)
    print(table(figures(metrics)))
    print(
        f"{metrics['identities']} {metrics['split']} identities, {metrics['steps']} steps; all of it in {options.run}"
    )


def _options(parser: Any) -> None:
    parser.add_argument("--run", required=True, metavar="DIR", help="run folder to make; everything goes in there")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in DIR from its newest checkpoint; begin it when there is none",
    )


if __name__ == "__main__":
    run_command(main)
