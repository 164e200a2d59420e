"""`hicmd disentangle`: what each code of a run tells, what its swap changes, how good the pictures are.

Measured on the people that the run is tested on, beside its untrained networks and what the paper claims. The tables
are also written as disentangle.json, .md and .csv, into --out or the run folder. docs/pictures.md explains them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicmd_tf.arguments import Parser
from hicmd_tf.errors import UserError

if TYPE_CHECKING:
    from hicmd_tf.runs.opened import OpenedRun

TABLE = "disentangle.json"


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, measures, prints the tables and writes them."""
    options = _parser().parse_args(arguments)
    for name, least in (("observer_steps", 1), ("pairs", 2), ("seed", 0)):
        if getattr(options, name) < least:
            flag = name.replace("_", "-")
            raise UserError(
                f"--{flag} is {getattr(options, name)}, expected {least} or more: leave it out for the usual"
            )
    from hicmd_tf.disentanglement.claims import judge
    from hicmd_tf.disentanglement.measure import Effort, measure
    from hicmd_tf.disentanglement.report import as_csv, as_json, as_markdown
    from hicmd_tf.files import write_json, write_text
    from hicmd_tf.runs.opened import OpenedRun

    opened = OpenedRun(options.run)
    folder, run = opened.folder.place_for(options.out, TABLE), opened.known
    found = measure(run, Effort(options.seed, options.observer_steps, options.pairs))
    verdicts, facts = judge(found), _facts(run, options)
    text = as_markdown(found, verdicts, facts)
    print(text, end="")
    write_json(folder / TABLE, as_json(found, verdicts, facts))
    write_text(folder / "disentangle.md", text)
    write_text(folder / "disentangle.csv", as_csv(found))


def _parser() -> argparse.ArgumentParser:
    parser = Parser("hicmd disentangle", description=__doc__)
    add = parser.add_argument
    add("--run", required=True, metavar="DIR", type=Path, help="run folder that hicmd fit or hicmd convert made")
    add("--out", metavar="DIR", type=Path, help="where the tables go; by default the run folder")
    add("--seed", type=int, default=0, metavar="N", help="of folds, pairs and observer (0)")
    add("--pairs", type=int, default=360, metavar="N", help="pairs of pictures of each kind, at most (360)")
    add("--observer-steps", type=int, default=1500, metavar="N", help="steps that the observer learns for (1500)")
    return parser


def _facts(run: "OpenedRun", options: argparse.Namespace) -> dict[str, Any]:
    import numpy as np

    facts = {
        "data": run.config.data.name,
        "people": len(np.unique(run.samples.identities)),
        "pictures": len(run.samples),
        "training seed": run.config.seed,
        "training steps": run.model.step,
        "seed": options.seed,
        "pairs": options.pairs,
        "observer steps": options.observer_steps,
    }
    if not run.samples.factors:
        facts["not measured"] = "yaw, gait phase and light, which only drawn pictures come with"
    return facts
