"""`hicmd replay --run RUN`: runs again the one step at which a run stopped, and shows where it went wrong.

The run's folder failure/ holds the state before that step and its batch: nothing else of the run, and no data set, is
needed, and nothing is written.
"""

from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.arguments import Parser
from hicmd_tf.errors import UserError, waiting


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, runs the step, prints what it gave."""
    parser = Parser("hicmd replay", description=__doc__)
    parser.add_argument("--run", required=True, metavar="DIR", type=Path, help="run folder of a run that failed")
    options = parser.parse_args(arguments)
    if not (options.run / "failure").is_dir():
        raise UserError(f"{options.run} has no folder failure: only a run that stopped at a step which failed has one")
    from hicmd_tf.provenance.replaying import replay, shown
    from hicmd_tf.runs.folder import RunFolder

    waiting("running the step again")
    print(shown(replay(RunFolder(options.run).failure)))
