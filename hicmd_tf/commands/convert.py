"""`hicmd convert`: released PyTorch checkpoints to run folders, and run folders to such checkpoints.

  hicmd convert CHECKPOINT_FOLDER RUN              gen_N.pt, dis_N.pt, id_N.pt -> run folder
  hicmd convert --to-torch RUN CHECKPOINT_FOLDER   newest checkpoint of a run -> the three files

Both need PyTorch, whose CPU build is enough: pip install 'hicmd-tf[torch]'. Nothing but tensors is unpickled.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.arguments import Parser, Way
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError, counted

WAYS = (Way("", takes=("--iteration", "--config")), Way("--to-torch"))


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, converts, says what was done."""
    options = _parser().parse_args(arguments)
    if not options.source.is_dir():
        raise UserError(f"{options.source} is no folder: name one of checkpoints, or with --to-torch a run")
    if not options.to_torch:
        return _to_run(options)
    from hicmd_tf.convert.run import to_torch  # TensorFlow's import takes seconds: --help and mistakes come first

    for path in to_torch(options.source, options.target):
        print(path)


def _parser() -> argparse.ArgumentParser:
    parser = Parser("hicmd convert", WAYS, description=__doc__)
    parser.add_argument("source", metavar="SOURCE", type=Path, help="folder to read: of checkpoints, or a run")
    parser.add_argument("target", metavar="TARGET", type=Path, help="folder to make: a run, or of checkpoints")
    parser.add_argument("--to-torch", action="store_true", help="from a run to released files")
    parser.add_argument(
        "--iteration", type=_iteration, metavar="N", help="iteration of a released checkpoint, or last (default)"
    )
    parser.add_argument(
        "--config",
        default="released",
        metavar="FILE",
        help="configuration that the run is to have: sizes of the networks, data, input size (default: released)",
    )
    return parser


def _iteration(text: str) -> int | None:
    return None if text == "last" else int(text)


def _to_run(options: argparse.Namespace) -> None:
    from hicmd_tf.config import load

    config = load(options.config, {"networks.resnet_weights": "none"})  # read from the checkpoint instead
    from hicmd_tf.convert.run import to_run

    released, dropped = to_run(options.source, options.target, config, options.iteration)
    people = counted(released.classes, "identity")
    print(f"{options.target}: iteration {released.iteration} of {options.source}, {people}")
    print(f"{len(released.tensors) - dropped} tensors read, {dropped} dropped, which no part of the method uses")
    identities = config.data.synthetic.identities - config.data.test_identities - config.data.held_out
    if DATA_SETS[config.data.name].drawn and identities != released.classes:
        print(
            f"the configured data has {counted(identities, 'training identity')}, not {released.classes}: the run can "
            f"be evaluated on it, not trained on with --resume"
        )
