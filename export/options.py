"""Options that the commands of this package share (imports no TensorFlow)."""

import argparse
from pathlib import Path

from hicmd_tf.arguments import count
from hicmd_tf.data.sources import SOURCES

IDENTITIES = 40


def add_run(parser: argparse.ArgumentParser) -> None:
    """--run, --licence."""
    add = parser.add_argument
    add("--run", required=True, metavar="DIR", type=Path, help="run folder that hicmd_tf.fit or hicmd_tf.convert made")
    add("--licence", default="", metavar="TEXT", help="licence of the weights, for the metadata")


def add_check(parser: argparse.ArgumentParser) -> None:
    """What artefacts are compared on."""
    add = parser.add_argument
    add("--data", choices=["synthetic_vi", *SOURCES], help="data set to compare on; by default the run's")
    add("--source", metavar="DIR", help="folder of that data set, as its authors hand it out; by default the run's")
    add("--trial", type=int, metavar="N", help="split of that data set; by default the run's")
    add(
        "--identities",
        type=count,
        default=IDENTITIES,
        metavar="N",
        help="how many of its test people to compare on; 0 for all (default: %(default)s)",
    )
