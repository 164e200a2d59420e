"""`hicmd carry-over`: does it carry over? Finished runs, each asked for people drawn otherwise and of other data sets.

hicmd carry-over runs/mine runs/yours --out runs/carried                on people drawn otherwise
hicmd carry-over runs/sysu_mm01 --on regdb=DIR --no-drawn --out runs/carried

Nothing is trained. Drawn people are those of a configuration, as many as it tests, by another seed than any run's: as
they are, and with view, albedo, framing, clutter, exposure, noise or spectrum drawn otherwise, and with all of these.
Rows that need no learning stand above, at each run's size of pictures. Results are kept: the same command goes on.
"""

from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.arguments import Parser
from hicmd_tf.commands.compare import hand_crafted
from hicmd_tf.config import load
from hicmd_tf.config.command_line import parse_settings
from hicmd_tf.config.kinds import DATA_SETS
from hicmd_tf.config.loading import find
from hicmd_tf.config.settings import SETTINGS
from hicmd_tf.config.validation import refuse_unread
from hicmd_tf.errors import UserError, nearest

USAGE = "RUN.. --out DIR [options]"
USUAL = "tiny"
SEED = 2  # configurations draw 777, and settings were chosen on 1
DRAWING = "data.synthetic.seed"
OF_DRAWN = (
    "data.directory",
    "data.test_identities",
    *(key for key in SETTINGS if key.startswith("data.synthetic.") and key != "data.synthetic.identities"),
)
FOLDERS = [name for name, known in DATA_SETS.items() if not known.drawn]
OF_FOLDERS = ("data.trial", "data.pattern", "data.check", "data.sixteen_bit")


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, asks every run for everyone, writes and prints the table."""
    reads = (*OF_DRAWN, *OF_FOLDERS)
    values, options = parse_settings("hicmd carry-over", __doc__ or "", arguments, _options, {}, USAGE, reads)
    named = options.on or []
    given = [f"--{key}" for key in values if key in OF_DRAWN] + ["--config"] * (options.config is not None)
    if options.no_drawn and given:
        raise UserError(f"{given[0]} is of drawn people, which --no-drawn leaves out: leave one of them out")
    if options.no_drawn and not named:
        raise UserError("--no-drawn leaves nobody to ask for: name a data set with --on")
    for key in OF_FOLDERS if not named else ():
        if key in values:
            raise UserError(f"--{key} {values[key]} is of data sets in folders: name one with --on, or leave it out")
    config = options.config or USUAL
    drawn = {DRAWING: SEED, **{key: value for key, value in values.items() if key in OF_DRAWN}}
    base = load(config, drawn)
    refuse_unread(base, drawn)
    crafted = hand_crafted(options.no_hand_crafted, "HOG is")
    from hicmd_tf.tuning.carry_over import carry_over, drawn_columns, finished_runs, folder_columns

    rows = finished_runs(options.runs)
    columns = [] if options.no_drawn else drawn_columns(base, find(config).stem)
    columns += folder_columns(base, named, {key: value for key, value in values.items() if key in OF_FOLDERS})
    print(carry_over(rows, columns, options.out, crafted))


def _options(parser: Parser) -> None:
    add = parser.add_argument
    add("runs", nargs="+", metavar="RUN", help="folders of finished runs; those that differ in their seed are one row")
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the table, and to go on in")
    add("--config", metavar="FILE", help=f"configuration whose drawn people are asked for (default: {USUAL})")
    add(
        "--on",
        type=_data_set,
        action="append",
        metavar="NAME=DIR",
        help=f"also the test people of a data set in a folder; NAME is its kind, {' or '.join(FOLDERS)}, which is "
        "your own pictures; may be given several times",
    )
    add("--no-drawn", action="store_true", help="leave out drawn people")
    add("--no-hand-crafted", action="store_true", help="leave out HOG, which takes minutes for thousands of pictures")


def _data_set(text: str) -> tuple[str, str]:
    """Name and folder of a data set."""
    name, _, folder = text.partition("=")
    if name not in FOLDERS or not folder.strip():
        raise ArgumentTypeError(
            f"{text[:60]!r} is not NAME=DIR with a NAME of {', '.join(FOLDERS)}{nearest(name, FOLDERS)}: it is the "
            f"kind of data set in DIR, folder for your own pictures"
        )
    return name, folder
