"""`hicmd disentangle`: what each code of a run carries, what moves it, what swaps change, how good the pictures are.

Measured on the people that the run is tested on, beside its untrained networks and what the paper claims. The tables
are also written as disentangle.json, .md and .csv, into --out or the run folder. docs/pictures.md explains them.
"""

from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.arguments import Parser, at_least, positive, seed

TABLE = "disentangle.json"


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, measures, prints the tables and writes them."""
    options = _parser().parse_args(arguments)
    from hicmd_tf.runs.opened import OpenedRun

    opened = OpenedRun(options.run)
    folder = opened.folder.place_for(options.out, TABLE)
    from hicmd_tf.disentanglement.claims import judge
    from hicmd_tf.disentanglement.measure import Effort, facts_of, measure
    from hicmd_tf.disentanglement.report import as_csv, as_json, as_markdown
    from hicmd_tf.files import write_json, write_text

    opened.model.networks  # noqa: B018 (refuses a run without codes before anything is learned)
    run, effort = opened.known, Effort(options.seed, options.observer_steps, options.pairs)
    found = measure(run, effort)
    verdicts, facts = judge(found), facts_of(run, effort)
    text = as_markdown(found, verdicts, facts)
    print(text, end="")
    write_json(folder / TABLE, as_json(found, verdicts, facts))
    write_text(folder / "disentangle.md", text)
    write_text(folder / "disentangle.csv", as_csv(found))


def _parser() -> Parser:
    parser = Parser("hicmd disentangle", description=__doc__)
    add = parser.add_argument
    add("--run", required=True, metavar="DIR", type=Path, help="run folder that hicmd fit or hicmd convert made")
    add("--out", metavar="DIR", type=Path, help="where the tables go; by default the run folder")
    add(
        "--seed",
        type=seed,
        default=0,
        metavar="N",
        help="of folds, pairs, permutations and observer (default: %(default)s)",
    )
    add("--pairs", type=at_least(2), default=360, metavar="N", help="of each kind, at most (default: %(default)s)")
    add("--observer-steps", type=positive, default=1500, metavar="N", help="that it learns for (default: %(default)s)")
    return parser
