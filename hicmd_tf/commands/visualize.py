"""`hicmd visualize --run RUN WHAT`: pictures of what a run's networks learned.

Files go into RUN/figures, or --out; `hicmd report` makes one page of all of them. Nothing is
computed on other people than those that the run is judged by. WHAT is one of
"""

from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.arguments import Parser, seed
from hicmd_tf.errors import UserError, waiting
from hicmd_tf.visualize.figures import KINDS, all_figures, figures_of


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, writes the files, prints their names."""
    parser = _parser()
    options, given = parser.parse_args(arguments), parser.given(arguments)
    if options.what != "all" and not KINDS[options.what].seeded and "--seed" in given:
        raise UserError(f"--seed chooses whose pictures are shown: {options.what} are of everyone, leave it out")
    from hicmd_tf.runs.opened import OpenedRun  # TensorFlow takes seconds: mistakes come first

    run = OpenedRun(options.run)
    out = run.folder.place_for(options.out or options.run / "figures", "figure.png")
    from hicmd_tf.visualize.figure import save

    waiting(f"drawing {options.what}")
    all_of_them = options.what == "all"
    for figure in all_figures(run, options.seed) if all_of_them else figures_of(options.what, run, options.seed):
        print(save(figure, out))


def _parser() -> Parser:
    kinds = "".join(f"\n  {name:<13} {kind.shows}" for name, kind in KINDS.items())
    parser = Parser("hicmd visualize", description=f"{__doc__}{kinds}\n  all           every one of these")
    parser.add_argument("what", choices=[*KINDS, "all"], metavar="WHAT", help="one of the above")
    parser.add_argument("--run", required=True, metavar="DIR", type=Path, help="run folder that hicmd fit made")
    parser.add_argument("--out", metavar="DIR", type=Path, help="folder for the files; by default DIR/figures")
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="N", help="whose pictures are shown (default: %(default)s)"
    )
    return parser
