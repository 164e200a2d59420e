"""`hicmd export`: the descriptor branch of a run, pictures in and descriptors out, for other programs.

  hicmd export saved-model --run RUN --out DIR     DIR/1, 2 .. for TensorFlow Serving
  hicmd export onnx --run RUN --out DIR            visible.onnx, infrared.onnx, and both with 8-bit convolutions
  hicmd export check --run RUN DIR [DIR ..]        whether they describe as the run does

Every export is compared with its run before it appears. docs/export.md has signatures, inputs and tolerances.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from hicmd_tf.arguments import Parser, count, positive
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError
from hicmd_tf.runs.opened import OpenedRun

PRECISIONS = ["fp32", "int8"]
CALIBRATION = 128


def main(arguments: Sequence[str]) -> None:
    """Reads the command line and does what it says."""
    options = _parser().parse_args(arguments)
    options.command(options)


def _open_run(options: argparse.Namespace) -> None:
    """Puts the run in its folder's place; a folder that is none is reported before TensorFlow is imported."""
    options.run = OpenedRun(options.run)
    options.run.config  # noqa: B018


def _saved_model(options: argparse.Namespace) -> None:
    _open_run(options)
    from hicmd_tf.export.check import shown
    from hicmd_tf.export.saved_model import export

    folder, signatures, rows = export(options)
    print(shown(rows))
    print(f"{folder}: {', '.join(signatures)}")


def _onnx(options: argparse.Namespace) -> None:
    if options.calibration is not None and "int8" not in options.precisions:
        raise UserError("--calibration is of int8, which --precisions leaves out: leave it out, too")
    options.calibration = options.calibration or CALIBRATION
    _open_run(options)
    from hicmd_tf.export.check import shown
    from hicmd_tf.export.onnx import export

    print(shown(export(options)))
    for file in sorted(options.out.glob("*.onnx")):
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


def _check(options: argparse.Namespace) -> None:
    from hicmd_tf.export.artefacts import held

    for folder in options.artefacts:
        held(folder)  # a run takes its time to be opened: mistakes come first
    _open_run(options)
    from hicmd_tf.export.branch import source_of
    from hicmd_tf.export.check import check, shown

    print(shown(check(source_of(options.run), options.artefacts, options)))


def _parser() -> Parser:
    parser = Parser("hicmd export", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str) -> Parser:
        found: Parser = commands.add_parser(name, help=text, description=text)
        found.set_defaults(command=run)
        made = "run folder that hicmd fit or hicmd convert made"
        found.add_argument("--run", required=True, metavar="DIR", type=Path, help=made)
        return found

    saved_model = command("saved-model", _saved_model, "a SavedModel for TensorFlow Serving, which takes a new version")
    saved_model.add_argument("--out", required=True, metavar="DIR", type=Path, help="folder of numbered versions")
    onnx = command("onnx", _onnx, "ONNX files, which need onnxruntime alone")
    add = onnx.add_argument
    add("--out", required=True, metavar="DIR", type=Path, help="folder to make")
    which = "which files; int8 needs the run's training pictures (default: both)"
    add("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS, help=which)
    add("--floats", action="store_true", help="also files that take normalised pictures")
    ranges = f"training pictures of each modality that set the ranges of int8 (default: {CALIBRATION})"
    add("--calibration", type=positive, metavar="N", help=ranges)
    for made in (saved_model, onnx):
        made.add_argument("--licence", default="", metavar="TEXT", help="licence of the weights, for the metadata")
    check = command("check", _check, "compares exported models with their run")
    check.add_argument("artefacts", nargs="+", metavar="DIR", type=Path, help="exported SavedModel, ONNX files")
    for compared in (saved_model, onnx, check):
        add = compared.add_argument
        add("--data", choices=list(DATA_SETS), help="data set to compare on; by default the run's")
        add("--source", metavar="DIR", help="folder of that data set, as its authors hand it out; by default the run's")
        add("--trial", type=int, metavar="N", help="split of that data set; by default the run's")
        people = "how many of its test people to compare on; 0 for all (default: %(default)s)"
        add("--identities", type=count, default=40, metavar="N", help=people)
    return parser
