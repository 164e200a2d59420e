"""`hicmd sample-folder DIR`: drawn people as a folder of pictures, to practise on before it is your own.

It has DIR/train/0001/visible/cam1_01.png and so on, as docs/own_pictures.md says. Half of the people are for training,
the others for the test. The same options give the same files. With --tracks N DIR/pictures.csv says when each picture
was taken, and in which of N tracks of its person by its camera.
"""

import dataclasses
import shlex
from collections.abc import Callable, Sequence

from hicmd_tf.arguments import Parser, bounded, path, seed
from hicmd_tf.config.loading import load
from hicmd_tf.errors import counted

EASY = "tiny"
"""The configuration whose people these are like: so easy that a few minutes of training teach something."""


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, draws."""
    options = _parser().parse_args(arguments)
    people = dataclasses.replace(
        load(EASY).data.synthetic, identities=options.people, images_per_modality=options.pictures, seed=options.seed
    )
    from hicmd_tf.drawn_people.sample_folder import write_sample_folder

    size = options.height, options.height // 2
    pictures = write_sample_folder(options.folder, people, size, options.cameras, options.tracks)
    print(f"{counted(pictures, 'picture')} of {counted(options.people, 'drawn person')}; look at them with")
    print(f"hicmd check folder {shlex.quote(str(options.folder))}")


def _parser() -> Parser:
    parser = Parser("hicmd sample-folder", description=__doc__)

    def add(option: str, kind: Callable[[str], int], usual: int, means: str, letter: str = "N") -> None:
        parser.add_argument(option, type=kind, default=usual, metavar=letter, help=f"{means} [default: {usual}]")

    parser.add_argument("folder", type=path, metavar="DIR", help="folder to make; it may be there and empty")
    add("--people", bounded(2, 9999), 20, "how many people, half of them for training")
    add("--pictures", bounded(1, 99), 6, "how many of each person in each modality")
    add("--cameras", bounded(1, 2), 2, "how many take each modality's, 1 or 2")
    add("--tracks", bounded(0, 99), 0, "of each person by each camera, with times; 0: without pictures.csv")
    add("--height", bounded(32, 1024, 8), 128, "of the pictures, which are half as wide; a multiple of 8", "PIXELS")
    add("--seed", seed, 1, "another one gives other people")
    return parser
