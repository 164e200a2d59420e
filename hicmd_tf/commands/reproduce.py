"""`hicmd reproduce RUN`: trains a finished run again, and says whether the same comes out.

It takes as long as the run took. First it warns of whatever is not as it was when the run was made (code, packages,
machine), and ends if the pictures are others. Then it trains, and compares losses.csv, every weight and every figure in
a table. Exit code 0: all is equal to the bit; 1: it is not. After Ctrl-C or a kill the same command goes on.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.arguments import Parser, count
from hicmd_tf.errors import stop
from hicmd_tf.files import check_writable
from hicmd_tf.startup import choose_engine

UNLIKE = 1
"""Exit code when something is not equal bit for bit."""


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, trains, prints the comparison."""
    from hicmd_tf.provenance.reproduction import read_original, repetition, reproduce

    options = _parser().parse_args(arguments)
    original = read_original(options.original)
    target = options.run or options.original / "reproduction"
    config, folder = repetition(original, target, options.source, options.devices)
    check_writable(folder.lock)
    choose_engine(config.training.engine)
    from hicmd_tf.training.run import Interrupted  # TensorFlow takes seconds: mistakes come first

    try:
        comparison = reproduce(original, config, folder)
    except Interrupted as interrupted:
        stop(f"{interrupted}; go on with the same command")
    except KeyboardInterrupt:
        stop("stopped; go on with the same command")
    print(comparison.as_text())
    print(f"{comparison.verdict}; all of it in {folder.path}")
    if not comparison.exact:
        sys.exit(UNLIKE)


def _parser() -> Parser:
    parser = Parser("hicmd reproduce", description=__doc__)
    add = parser.add_argument
    add("original", metavar="RUN", type=Path, help="run folder of a finished training")
    add("--run", metavar="DIR", type=Path, help="run folder to make; by default RUN/reproduction")
    add("--source", metavar="DIR", help="folder of the data set, where it is no longer where the run found it")
    add("--devices", metavar="N", type=count, help="as --training.devices, where there are fewer than the run had")
    return parser
