"""`hicmd ablations`: the rows of the paper's Table 2 and Fig. 4, one configuration with parts taken away.

hicmd ablations --config tiny --steps 2000 --out runs/ablations
hicmd ablations --config tiny --rows full,original --seeds 777 --out runs/ablations

Settings hold for all rows. Every run is evaluated on the test identities after a fixed number of steps; nothing is
chosen by them.
"""

from collections.abc import Sequence

from hicmd_tf.arguments import Parser
from hicmd_tf.commands.compare import SHORT, add_running, refuse_seed
from hicmd_tf.config.command_line import parse_settings
from hicmd_tf.config.loading import BASE
from hicmd_tf.errors import limited


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, trains what is to be trained, writes and prints the table."""
    values, options = parse_settings(
        "hicmd ablations", __doc__ or "", arguments, _options, SHORT, "--out DIR [options]"
    )
    refuse_seed(values)
    from hicmd_tf.tuning.ablations import ABLATIONS, ablations, rows_of
    from hicmd_tf.tuning.comparison import SEEDS

    names = [name.strip() for name in options.rows.split(",")] if options.rows else [*ABLATIONS]
    rows = rows_of(options.config, values, names)
    with limited(options.minutes):
        print(ablations(rows, values, options.seeds or SEEDS, options.out, options.resume, options.workers or 1))


def _options(parser: Parser) -> None:
    add = parser.add_argument
    add("--config", metavar="FILE", default=BASE, help="configuration, as --config of fit takes it (default: base)")
    add("--rows", metavar="NAME,..", help="which rows, such as full,original (default: all of Table 2 and Fig. 4)")
    add_running(parser)
