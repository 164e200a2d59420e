"""`hicmd compare`: configurations, and finished runs, side by side in a table like the paper's Table 1.

hicmd compare tiny tiny_strong --out runs/compared
hicmd compare runs/mine runs/yours --out runs/compared           takes finished runs as they are
hicmd compare regdb strong_regdb --data.source DIR --out runs/compared

Settings hold for all rows. Rows that need no learning stand above. Every run is evaluated after its own number of
steps; nothing is chosen by the figures.
"""

import argparse
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hicmd_tf.arguments import Parser, add_minutes, positive
from hicmd_tf.config.command_line import parse_settings
from hicmd_tf.errors import UserError, limited

USAGE = "CONFIG|RUN.. --out DIR [options]"
SHORT = {"steps": "training.steps", "engine": "training.engine"}


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, trains what is to be trained, writes and prints the table."""
    values, options = parse_settings("hicmd compare", __doc__ or "", arguments, _options, SHORT, USAGE)
    refuse_seed(values)
    crafted = hand_crafted(options.no_hand_crafted, "HOG and LOMO are")
    from hicmd_tf.tuning.comparison import SEEDS, check, compare, contenders

    rows = contenders(options.rows, values)
    given = {
        "--seeds": options.seeds is not None,
        "--no-report": options.no_report,
        "--workers": options.workers is not None,
    }
    check(rows, values, crafted, given)
    more = ["--no-report"] if options.no_report else []
    seeds, workers = options.seeds or SEEDS, options.workers or 1
    with limited(options.minutes):
        print(compare(rows, values, seeds, options.out, options.resume, crafted, workers, more))


def hand_crafted(left_out: bool, which: str) -> bool:
    """Whether rows of hand-made descriptors can be had and are not to be left out. which: for who lacks a package."""
    if left_out or importlib.util.find_spec("skimage") is not None:
        return not left_out
    print(f"{which} left out: pip install 'hicmd-tf[baselines]' brings scikit-image", file=sys.stderr)
    return False


def _options(parser: Parser) -> None:
    add = parser.add_argument
    add("rows", nargs="+", metavar="CONFIG|RUN", help="configurations, as --config of fit takes them, and run folders")
    add_running(parser)
    add("--no-report", action="store_true", help="leave out each run's report.html, which takes a minute or two")
    add(
        "--no-hand-crafted",
        action="store_true",
        help="leave out HOG and LOMO, which take minutes for thousands of pictures",
    )


def add_running(parser: Parser) -> None:
    """Adds the options of commands that train several configurations with several seeds."""
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder to make; runs go to DIR/runs/NAME_SEED")
    add("--seeds", type=seeds, metavar="N,..", help="of the configurations' weights and batches (default: 777,1,2)")
    add("--workers", type=positive, metavar="N", help="runs side by side on this machine (default: 1)")
    add("--resume", action="store_true", help="go on with what is in DIR; finished runs are not made again")
    add_minutes(parser)


def refuse_seed(values: Mapping[str, Any]) -> None:
    """Raises UserError for the seed of one run."""
    if "seed" in values:
        raise UserError(f"--seed {values['seed']} is of one run: name the seeds of all by --seeds")


def seeds(text: str) -> list[int]:
    """Reads different seeds, with commas between them. Raises ArgumentTypeError for anything else."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is no list of different whole numbers, such as 777,1,2")
    return [int(part) for part in parts]
