"""`hicmd report --run RUN`: one page about a run, report.html, with its settings, figures and pictures."""

from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.arguments import Parser, seed
from hicmd_tf.errors import waiting

REPORT = "report.html"


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, writes the page, prints its name."""
    options = _parser().parse_args(arguments)
    from hicmd_tf.runs.opened import OpenedRun

    run = OpenedRun(options.run)
    out = run.folder.place_for(options.out, REPORT)
    from hicmd_tf.visualize.figures import all_figures
    from hicmd_tf.visualize.report import write_report

    waiting("making the figures")
    print(write_report(run, all_figures(run, options.seed), out))


def _parser() -> Parser:
    parser = Parser("hicmd report", description=__doc__)
    add = parser.add_argument
    add("--run", required=True, metavar="DIR", type=Path, help="run folder that hicmd fit made")
    add("--out", metavar="DIR", type=Path, help="folder for the page; by default the run folder")
    add("--seed", type=seed, default=0, metavar="N", help="whose pictures are shown (default: %(default)s)")
    return parser
