"""`hicmd ablations`: ablations of Fig. 4 and Table 2 as a grid, with several seeds.

Every run is evaluated on the test identities after a fixed number of steps; nothing is chosen by them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.arguments import Parser, positive
from hicmd_tf.config.command_line import parse
from hicmd_tf.startup import choose_engine


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, runs the grid, writes and prints the table."""
    config, options = parse(
        "hicmd ablations", __doc__ or "", arguments, _options, {"steps": "training.steps", "engine": "training.engine"}
    )
    choose_engine(config.training.engine)
    from hicmd_tf.tuning.ablations import run_grid

    command = [sys.executable, "-m", "hicmd_tf", "ablations", *arguments]
    table = run_grid(config, options.seeds, options.out, command, options.workers, options.resume)
    if table is not None:
        print(table)


def _options(parser: Parser) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder to make; everything goes there")
    add("--seeds", type=seeds, default="777,1,2", metavar="N,..", help="of weights and batches (default: 777,1,2)")
    add("--workers", type=positive, default=1, metavar="N", help="processes side by side on this machine (default: 1)")
    add("--resume", action="store_true", help="go on with the grid in DIR; begin it when there is none")


def seeds(text: str) -> list[int]:
    """Reads different seeds, with commas between them. Raises ArgumentTypeError for anything else."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is no list of different whole numbers, such as 777,1,2")
    return [int(part) for part in parts]
