"""`python -m hicmd_tf.visualize --run DIR WHAT`: pictures of what a run's networks learned, and the report of a run.

  curves        losses, alpha, scores, rank-1 and mAP over the steps; CMC
  ranked        queries with their ranked lists, drawn by chance and hardest, right and wrong framed
  swap          ID-excluded attributes exchanged keeping the identity, and the reverse (Fig. 6)
  illumination  only the illumination code exchanged, and only the pose code (Fig. 7)
  interpolate   from one picture's ID-excluded attributes to another's, also moving (Fig. 8)
  distances     within and between people across modalities, before and after training (Fig. 5)
  embedding     descriptors and every code in the plane by t-SNE, also as a page to explore
  attention     where the descriptor looks
  all           every one of these
  report        one page with all of it, report.html

Files go into DIR/figures, the report into DIR, or all of it into --out. Nothing is computed on other people than those
that the run is judged by.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.arguments import Parser
from hicmd_tf.errors import UserError, run_command

NAMES = ("curves", "ranked", "swap", "illumination", "interpolate", "distances", "embedding", "attention")


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, writes the files, prints their names."""
    options = _parser().parse_args(arguments)
    if not 0 <= options.seed < 2**32:
        raise UserError(f"--seed is {options.seed}: expected 0 to {2**32 - 1}")
    from hicmd_tf.runs.folder import RunFolder  # TensorFlow takes seconds: mistakes come first
    from hicmd_tf.runs.trained_run import TrainedRun
    from hicmd_tf.visualize.figure import save
    from hicmd_tf.visualize.figures import KINDS, all_figures
    from hicmd_tf.visualize.report import REPORT, write_report

    folder = RunFolder(options.run)
    if options.what == "report":
        out = folder.place_for(options.out, REPORT)
        run = TrainedRun.open(options.run)
        print(write_report(run, all_figures(run, options.seed), out))
        return
    out = folder.place_for(options.out or options.run / "figures", "figure.png")
    run = TrainedRun.open(options.run)
    figures = all_figures(run, options.seed) if options.what == "all" else KINDS[options.what](run, options.seed)
    for figure in figures:
        for file in save(figure, out):
            print(file)


def _parser() -> argparse.ArgumentParser:
    parser = Parser("python -m hicmd_tf.visualize", description=__doc__)
    parser.add_argument("what", choices=[*NAMES, "all", "report"], metavar="WHAT", help="one of the above")
    parser.add_argument("--run", required=True, metavar="DIR", type=Path, help="run folder that hicmd_tf.fit made")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="folder for the files; by default DIR/figures, for the report DIR"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="whose pictures are shown; 0 by default")
    return parser


if __name__ == "__main__":
    run_command(main)
