"""`hicmd describe`: descriptors of pictures from a server, which is TensorFlow Serving or ours.

hicmd describe --url http://127.0.0.1:8501 --modality visible PICTURE.. --out descriptors.npz
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hicmd_tf.arguments import Parser, modality, time_limit, writable
from hicmd_tf.data.sources.table import whom
from hicmd_tf.errors import UserError, counted, require
from hicmd_tf.files import replacing


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, asks, prints or writes the descriptors."""
    options = _parser().parse_args(arguments)
    if "/" in options.model:  # which no name of a model has
        raise UserError(
            f"--model {options.model} is a path, and hicmd describe asks a server for a model by its name there: hicmd "
            f"extract --model describes with what hicmd export made, hicmd serve --model serves it"
        )
    # Which refuses one that is said to be of the other.
    modalities = {whom(picture, options.modality)[1] for picture in options.pictures}
    if len(modalities) > 1:
        raise UserError("the pictures are of two modalities by their paths: give those of one at a time")
    require("httpx")
    from hicmd_tf.export.client import Client

    client, pictures, parts = Client(options.url, options.model, options.timeout), options.pictures, []
    with tqdm(total=len(pictures), desc="describing", unit="picture", leave=False, disable=None) as bar:
        for part in client.parts(pictures, *modalities):
            for picture, row in zip(pictures[bar.n :], part, strict=False):
                if options.out is None:
                    tqdm.write(json.dumps({"picture": str(picture), "descriptor": row.tolist()}))
            parts.append(part)
            bar.update(len(part))
    if options.out is None:
        return
    found = np.concatenate(parts)
    with replacing(options.out) as file:
        np.savez(file, descriptors=found, names=np.array(list(map(str, pictures))))
    print(f"{options.out}: {counted(len(found), 'descriptor')} of length {found.shape[1]}")


def _parser() -> Parser:
    parser = Parser("hicmd describe", description=__doc__)
    add = parser.add_argument
    add("pictures", nargs="+", metavar="PICTURE", type=Path, help="files of pictures")
    add("--url", default="http://127.0.0.1:8501", metavar="URL", help="of the server (default: %(default)s)")
    add("--model", default="hicmd", metavar="NAME", help="the model's name there (default: %(default)s)")
    add(
        "--modality",
        type=modality,
        metavar="MODALITY",
        help="of all pictures: visible or infrared (default: as their paths say)",
    )
    add(
        "--timeout",
        type=time_limit,
        default=60.0,
        metavar="S",
        help="seconds that the server may say nothing (default: %(default)s)",
    )
    add("--out", metavar="FILE", type=writable, help=".npz file to write, instead of printing a line of JSON a picture")
    return parser
