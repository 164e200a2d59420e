"""`python -m hicmd_tf.explore`: a run in the browser: who is found for a picture, and what its codes mean.

  python -m hicmd_tf.explore --run runs/tiny

The page is for one person on this machine: it is at 127.0.0.1 only, and there is no login.
"""

import argparse
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hicmd_tf.arguments import Parser, port
from hicmd_tf.errors import run_command


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, describes the run's pictures, serves the page until it is told to stop."""
    options = _parser().parse_args(arguments)
    from hicmd_tf.explorer.address import listening

    with suppress(KeyboardInterrupt), listening(options.port) as opened:
        from nicegui import ui  # noqa: F401 (that it is missing is told before anything is computed)

        from hicmd_tf.explorer.server import serve
        from hicmd_tf.explorer.studio import Studio
        from hicmd_tf.runs.trained_run import TrainedRun

        serve(Studio(TrainedRun.open(options.run)), opened, options.open)


def _parser() -> argparse.ArgumentParser:
    parser = Parser("python -m hicmd_tf.explore", description=__doc__)
    add = parser.add_argument
    add("--run", required=True, metavar="DIR", type=Path, help="run folder that hicmd_tf.fit or hicmd_tf.convert made")
    add("--port", type=port, default=8080, metavar="N", help="of the page; 0: any free one (default: %(default)s)")
    add("--no-open", dest="open", action="store_false", help="don't open the system's browser")
    return parser


if __name__ == "__main__":
    run_command(main)
