"""`hicmd visualize --run RUN WHAT`: pictures of what a run's networks learned.

  curves        losses, alpha, scores, rank-1 and mAP over the steps; CMC
  ranked        queries with their ranked lists, random and hardest, right and wrong framed
  swap          ID-excluded attributes exchanged keeping the identity, and the reverse (Fig. 6)
  illumination  only the illumination code exchanged, and only the pose code (Fig. 7)
  interpolate   from one picture's ID-excluded attributes to another's, also moving (Fig. 8)
  distances     within and between people across modalities, before and after training (Fig. 5)
  embedding     descriptors and every code in the plane by t-SNE, also as a page to explore
  attention     where the descriptor looks
  all           every one of these

Files go into RUN/figures, or --out; `hicmd report` makes one page of all of them. Nothing is
computed on other people than those that the run is judged by.
"""

from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.arguments import Parser, seed
from hicmd_tf.errors import UserError

OF_EVERYONE = ("curves", "distances")
NAMES = ("curves", "ranked", "swap", "illumination", "interpolate", "distances", "embedding", "attention")


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, writes the files, prints their names."""
    parser = _parser()
    options, given = parser.parse_args(arguments), parser.given(arguments)
    if options.what in OF_EVERYONE and "--seed" in given:
        raise UserError(f"--seed chooses whose pictures are shown: {options.what} are of everyone, leave it out")
    from hicmd_tf.runs.opened import OpenedRun  # TensorFlow takes seconds: mistakes come first

    run = OpenedRun(options.run)
    out = run.folder.place_for(options.out or options.run / "figures", "figure.png")
    from hicmd_tf.visualize.figure import save
    from hicmd_tf.visualize.figures import KINDS, all_figures

    figures = all_figures(run, options.seed) if options.what == "all" else KINDS[options.what](run, options.seed)
    for figure in figures:
        for file in save(figure, out):
            print(file)


def _parser() -> Parser:
    parser = Parser("hicmd visualize", description=__doc__)
    parser.add_argument("what", choices=[*NAMES, "all"], metavar="WHAT", help="one of the above")
    parser.add_argument("--run", required=True, metavar="DIR", type=Path, help="run folder that hicmd fit made")
    parser.add_argument("--out", metavar="DIR", type=Path, help="folder for the files; by default DIR/figures")
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="N", help="whose pictures are shown (default: %(default)s)"
    )
    return parser
