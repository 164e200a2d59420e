"""`hicmd extract`: descriptors of pictures, for anyone's search or evaluation.

  hicmd extract --run RUN --images DIR --modality visible --out visible.npz
  hicmd extract --run RUN --images pictures.csv --out descriptors/       a folder of Parquet, part by part
  hicmd extract --run RUN --data regdb --source DIR --out regdb.npz
  hicmd extract --model DIR --images pictures.parquet --out descriptors/ --engine ray

--images takes every picture below a folder; without --modality those below folders named visible and infrared (or rgb,
ir, thermal ..). People are the folders directly above those, or the single ones below them (anna/visible/1.png,
visible/anna/1.png; with --modality anna/1.png), but no days; everyone else is unknown, -1. Cameras are those in names
such as cam3 or _c03; where no name has one 1 for visible, 2 for infrared pictures. --pattern says it otherwise, such as
'(?P<identity>[^/]+)/[^/]+/(?P<camera>[^_]+)_': named groups identity, camera, modality, track and time, looked for in
the path.
--images also takes an index, a CSV or Parquet file with columns path and modality, and, where they are known, identity,
camera, time and track; it and its pictures may be URLs. --data takes the test pictures of a data set.
The same command goes on where it was stopped. A picture that can't be used is counted and named, with its reason in the
file; with --strict the exit code is then 2. docs/scale.md is about millions of pictures, docs/options.md says which
options go together.
"""

import argparse
import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicmd_tf.arguments import Parser, Way, modality, positive
from hicmd_tf.data.sources import DATA_SETS, in_folders
from hicmd_tf.data.sources.folder import anything
from hicmd_tf.data.sources.records import existing
from hicmd_tf.errors import UserError, counted, require, some
from hicmd_tf.files import check_writable

if TYPE_CHECKING:
    from hicmd_tf.extraction.listed import Picture
    from hicmd_tf.extraction.run import Done

SOURCES = (
    Way("--images", takes=("--modality", "--pattern")),
    Way("--data", needs=("--source",), takes=("--trial", "--pattern")),
)
MODELS = (Way("--run"), Way("--model"))
ENGINES = (Way("--engine", takes=("--address", "--workers")), Way(""))


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, describes the pictures, writes the files."""
    options = _parser().parse_args(arguments)
    from hicmd_tf.data.sources.index import digest, is_index
    from hicmd_tf.extraction.describers import Model
    from hicmd_tf.extraction.on_ray import Ray
    from hicmd_tf.extraction.run import Wanted, extract
    from hicmd_tf.extraction.work import Place
    from hicmd_tf.retrieval.stored import PARQUET
    from hicmd_tf.runs.trained import flattering

    model = Model("run" if options.run else "exported", str(options.run or options.model))
    config, trained = model.read()
    model = model._replace(
        folder=os.path.abspath(model.folder), device=options.device or "", threads=options.threads or 0
    )
    if options.out.kind == PARQUET:
        require("pyarrow")
    if options.engine:
        require("ray")
    root, of = _asked(options)
    indexed = options.images is not None and is_index(options.images)
    wanted = Wanted(
        options.out,
        of,
        Place(root, config.data.sixteen_bit),
        digest(options.images) if indexed else "",
        options.part,
        options.again,
    )
    ray = Ray(options.address or "", options.workers or 0) if options.engine else None
    done = extract(wanted, model, lambda: _pictures(options), ray)
    known = flattering(trained, options.data or "folder", done.manifest.people)
    if known:
        print(known)
    lost = indexed and any("can't be read" in one for one in done.summary.named)
    _say(done, options, f"; paths in the index that are not absolute begin in {root}" if lost else "")


def _say(done: "Done", options: argparse.Namespace, hint: str) -> None:
    """Prints what there is and what can't be used. Raises UserError where that is all, or any with --strict."""
    from hicmd_tf.extraction.run import NAMED

    summary, rows = done.summary, counted(done.manifest.rows, "picture")
    if not summary.described:
        raise UserError(
            f"{options.images or options.source}: none of {rows} can be used: {some(summary.named, NAMED)}; expected "
            f"at least one whole one{hint}"
        )
    rate = f", {counted(done.fresh, 'picture')} in {done.seconds:.1f} s" if done.fresh else ""
    print(
        f"{options.out.target}: {counted(summary.described, 'descriptor')} of length {done.manifest.length}{rate}",
        flush=True,
    )
    if summary.flat:
        warnings.warn(
            f"{summary.flat:,} of {rows} are nearly constant: {some(summary.flat_named, NAMED)}: look at them, and for "
            "those of 16 bits at the range of data.sixteen_bit",
            stacklevel=3,
        )
    if summary.failed:
        more = summary.failed - len(summary.named)
        named = ", ".join(summary.named) + (f" and {more:,} more" if more else "")
        line = f"{summary.failed:,} of {rows} can't be used and have no descriptor: {named}{hint}"
        if options.strict:
            raise UserError(f"{line}; {options.out.target} has the reason of each")
        warnings.warn(line, stacklevel=3)


def _asked(options: argparse.Namespace) -> tuple[str, dict[str, str]]:
    """Where relative paths begin, and what is asked for by option. Raises UserError for a place that is not there, and
    for options that an index does not take."""
    from hicmd_tf.data.sources.index import is_index, is_url, root_of

    given: dict[str, Any] = {"--pattern": options.pattern}
    if options.data is not None:
        root = os.path.abspath(options.source)
        given |= {"--data": options.data, "--source": root, "--trial": str(options.trial)}
    else:
        place = options.images if is_url(options.images) else os.path.abspath(options.images)
        given |= {"--images": place, "--modality": options.modality}
        if is_index(options.images) and not Path(options.images).is_dir():
            root, out = root_of(options.images), options.out.target
            if out.exists() and Path(options.images).exists() and out.samefile(options.images):
                raise UserError(f"--out is the index itself, {options.images}: name another --out")
            if options.pattern:
                raise UserError("--pattern says what paths mean, and an index says it of each: leave the pattern out")
        elif is_url(options.images):
            raise UserError(f"{options.images} is no index: expected the URL of a .csv or .parquet file")
        else:
            root = place
            existing(Path(options.images), advice="give a folder with pictures, or an index, .csv or .parquet")
    return root, {name: str(value) for name, value in given.items() if value}


def _pictures(options: argparse.Namespace) -> "Iterable[Picture]":
    """The pictures, in their order; prints what was taken for which people and cameras."""
    from hicmd_tf.data.sources.index import indexed, is_index
    from hicmd_tf.extraction.listed import of_index, of_records

    if options.images is None:
        listing = DATA_SETS[options.data].read(Path(options.source), options.trial, options.pattern)
        print("\n".join(listing.passed), end="\n" if listing.passed else "", flush=True)
        return of_records(listing.splits["test"], listing.texts)
    if is_index(options.images) and not Path(options.images).is_dir():
        return of_index(indexed(options.images, options.modality))
    listing = anything(Path(options.images), options.modality, options.pattern)
    print("\n".join([*listing.taken, *listing.passed]), flush=True)
    return of_records(listing.records, listing.texts)


def _out(text: str) -> Any:
    """A file of descriptors, or a folder of parts, that can be written, which is tried."""
    from hicmd_tf.extraction.job import Out

    try:
        found = Out.of(text)
        check_writable(found.target / "_" if found.target.is_dir() else found.target)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} {error}") from error
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return found


def _parser() -> Parser:
    parser = Parser("hicmd extract", SOURCES, MODELS, ENGINES, description=__doc__)
    add = parser.add_argument
    add("--run", metavar="DIR", type=Path, help="run folder that hicmd fit or hicmd convert made")
    add("--model", metavar="DIR", type=Path, help="what hicmd export saved-model or hicmd export onnx made, instead")
    add("--out", required=True, metavar="FILE", type=_out, help=".npz or .parquet to write, or a folder of Parquet")
    add("--images", metavar="PATH", help="folder with pictures, at any depth, or an index of some")
    add("--modality", type=modality, metavar="MODALITY", help="of all pictures in --images: visible or infrared")
    add("--pattern", default="", metavar="REGEX", help="what paths say, in named groups: identity, camera ..")
    add("--data", choices=in_folders(), help="data set whose test pictures are described")
    add("--source", metavar="DIR", help="folder of that data set, as its authors hand it out")
    add("--trial", type=int, default=1, metavar="N", help="split of that data set (default: 1)")
    add("--part", type=positive, metavar="N", help="pictures that are written at once (default: 1024)")
    add("--again", action="store_true", help="also parts with a picture that could not be used")
    add("--strict", action="store_true", help="exit code 2 where a picture could not be used")
    add("--device", choices=("cpu", "cuda"), help="where the model computes (default: on a GPU where there is one)")
    add("--threads", type=positive, metavar="N", help="that compute, of each process with a model")
    add("--engine", choices=("ray",), help="who computes, instead of this process: Ray, on this machine or a cluster")
    add(
        "--address", metavar="HOST:PORT", help="of a cluster of Ray's (default: one on this machine, while it computes)"
    )
    add("--workers", type=positive, metavar="N", help="processes with a model (default: by the number of cores)")
    return parser
