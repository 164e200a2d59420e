"""`hicmd explore`: a run in the browser: who is found for a picture, and what its codes mean.

  hicmd explore --run runs/tiny

The page is for one person on this machine: it is at 127.0.0.1 only, and there is no login.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.addresses import LOCALHOST, listening
from hicmd_tf.arguments import Parser, port


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, describes the run's pictures, serves the page until it is stopped."""
    options = _parser().parse_args(arguments)
    with listening(LOCALHOST, options.port) as opened:
        from nicegui import ui  # noqa: F401 (its absence is reported before anything is computed)

        from hicmd_tf.explorer.server import serve
        from hicmd_tf.explorer.studio import Studio
        from hicmd_tf.runs.opened import OpenedRun

        serve(Studio(OpenedRun(options.run)), opened, options.open)


def _parser() -> argparse.ArgumentParser:
    parser = Parser("hicmd explore", description=__doc__)
    add = parser.add_argument
    add("--run", required=True, metavar="DIR", type=Path, help="run folder that hicmd fit or hicmd convert made")
    add("--port", type=port, default=8080, metavar="N", help="of the page; 0: any free one (default: %(default)s)")
    add("--no-open", dest="open", action="store_false", help="don't open the system's browser")
    return parser
