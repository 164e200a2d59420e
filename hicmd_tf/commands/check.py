"""`hicmd check NAME DIR`: whether a data set is whole, before anything is trained on it, and how to go on."""

from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.arguments import Parser, sixteen_bit
from hicmd_tf.config.schema import CheckPolicy
from hicmd_tf.data.sources import in_folders
from hicmd_tf.pictures.sixteen_bit import EXPECTED


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, prints the tables and the command to go on with."""
    options = _parser().parse_args(arguments)
    from hicmd_tf.data.check import check

    policy: CheckPolicy = "skip" if options.skip else "stop"
    check(options.name, options.folder, options.pattern, options.trial, options.sixteen_bit, policy)


def _parser() -> Parser:
    parser = Parser("hicmd check", description=__doc__)
    add = parser.add_argument
    add("name", choices=in_folders(), help="data set")
    add("folder", type=Path, metavar="DIR", help="folder of the data set, as its authors hand it out")
    add("--pattern", default="", metavar="REGEX", help="as data.pattern: what paths in folder say")
    add("--trial", type=int, help="only this one of RegDB's ten splits; all by default")
    expected = EXPECTED.replace("%", "%%")
    add("--sixteen-bit", type=sixteen_bit, default="", metavar="LO-HI", help=f"as data.sixteen_bit: {expected}")
    add("--skip", action="store_true", help="as data.check skip: goes on without pictures that can't be used")
    return parser
