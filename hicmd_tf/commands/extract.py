"""`hicmd extract`: descriptors of pictures, for anyone's search or evaluation.

  hicmd extract --run RUN --images DIR --modality visible --out visible.npz
  hicmd extract --run RUN --data regdb --source DIR --out regdb.npz

--images takes every picture below a folder; without --modality those below folders named visible and infrared (or rgb,
ir, thermal ..). People are the folders directly above those, or the single ones below them (anna/visible/1.png,
visible/anna/1.png; with --modality anna/1.png), but no days; everyone else is unknown, -1. Cameras are those in names
such as cam3 or _c03; where no name has one 1 for visible, 2 for infrared pictures. --pattern says it otherwise, such as
'(?P<identity>[^/]+)/[^/]+/(?P<camera>[^_]+)_': named groups identity, camera, modality, track and time, looked for in
the path.
--data takes the test pictures of a data set. docs/options.md says which options go together.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.arguments import Parser, Way, modality, writable
from hicmd_tf.data.labels import Texts
from hicmd_tf.data.sources import DATA_SETS, Record, in_folders
from hicmd_tf.data.sources.folder import anything
from hicmd_tf.errors import UserError, counted

WAYS = (
    Way("--images", takes=("--modality", "--pattern")),
    Way("--data", needs=("--source",), takes=("--trial", "--pattern")),
)


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, describes the pictures, writes the file."""
    options = _parser().parse_args(arguments)
    from hicmd_tf.data.sources.records import read_pictures
    from hicmd_tf.data.usable import usable
    from hicmd_tf.retrieval.stored import write_descriptors
    from hicmd_tf.runs.opened import OpenedRun
    from hicmd_tf.runs.trained import flattering

    run = OpenedRun(options.run)
    data = run.config.data
    folder, records, texts = _records(options)
    samples = usable(read_pictures(folder, records, texts, data.sixteen_bit), data.check)
    if not len(samples):
        every = counted(len(records), "picture")
        raise UserError(f"{folder}: none of {every} can be used, expected at least one whole one")
    known = flattering(run.trained_on, options.data or "folder", samples.identities.tolist())
    if known:
        print(known)
    model = run.model
    described = model.descriptors(samples)
    write_descriptors(options.out, described, samples, model.descriptor.digest())
    print(
        f"{options.out}: {counted(len(samples), 'descriptor')} of length {described.shape[1]}, "
        f"{counted(model.step, 'step')} of training"
    )


def _records(options: argparse.Namespace) -> tuple[Path, list[Record], Texts]:
    """The folder, its pictures, and what their people and cameras are called; prints what was taken for which."""
    if options.images is not None:
        listing = anything(options.images, options.modality, options.pattern)
        print("\n".join([*listing.taken, *listing.passed]), flush=True)
        return options.images, listing.records, listing.texts
    folder = Path(options.source)
    listing = DATA_SETS[options.data].read(folder, options.trial, options.pattern)
    print("\n".join(listing.passed), end="\n" if listing.passed else "", flush=True)
    return folder, listing.splits["test"], listing.texts


def _parser() -> Parser:
    parser = Parser("hicmd extract", WAYS, description=__doc__)
    add = parser.add_argument
    add("--run", required=True, metavar="DIR", type=Path, help="run folder that hicmd fit or hicmd convert made")
    add("--out", required=True, metavar="FILE", type=writable, help=".npz file to write")
    add("--images", metavar="DIR", type=Path, help="folder with pictures, at any depth")
    add("--modality", type=modality, metavar="MODALITY", help="of all pictures in --images: visible or infrared")
    add("--pattern", default="", metavar="REGEX", help="what paths say, in named groups: identity, camera ..")
    add("--data", choices=in_folders(), help="data set whose test pictures are described")
    add("--source", metavar="DIR", help="folder of that data set, as its authors hand it out")
    add("--trial", type=int, default=1, metavar="N", help="split of that data set (default: 1)")
    return parser
