"""`hicmd ablations`: ablations of Fig. 4 and Table 2 as a grid, with several seeds.

Every run is evaluated on the test identities after a fixed number of steps; nothing is chosen by them.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hicmd_tf.config.command_line import parse
from hicmd_tf.errors import UserError


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, runs the grid, writes and prints the table."""
    config, options = parse("hicmd ablations", __doc__ or "", arguments, _options, {"steps": "training.steps"})
    if options.workers < 1:
        raise UserError(f"--workers is {options.workers}: expected 1 or more")
    seeds = _seeds(options.seeds)
    from hicmd_tf.tuning.ablations import run_grid

    command = [sys.executable, "-m", "hicmd_tf", "ablations", *arguments]
    table = run_grid(config, seeds, options.out, command, options.workers, options.resume)
    if table is not None:
        print(table)


def _options(parser: Any) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to make; everything goes there")
    parser.add_argument(
        "--seeds", default="777,1,2", metavar="N,..", help="of initial weights and batches, one run each"
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes side by side on this machine")
    parser.add_argument("--resume", action="store_true", help="go on with the grid in DIR; begin it when there is none")


def _seeds(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise UserError(f"--seeds is {text!r}: expected different whole numbers, such as 777,1,2")
    return [int(part) for part in parts]
