"""`hicmd describe`: descriptors of pictures from a server, which is TensorFlow Serving or ours.

  hicmd describe --url http://127.0.0.1:8501 --modality visible PICTURE.. --out descriptors.npz

grpc://127.0.0.1:8500 speaks gRPC instead, for which tensorflow-serving-api is needed.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hicmd_tf.arguments import Parser, time_limit, writable
from hicmd_tf.data.sources.paths import person_of
from hicmd_tf.export.client import Client
from hicmd_tf.files import replacing
from hicmd_tf.notation import MODALITIES


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, asks, prints or writes the descriptors."""
    options = _parser().parse_args(arguments)
    for picture in options.pictures:
        person_of(picture, options.modality)  # which refuses one that lies in a folder of the other modality
    found = Client(options.url, options.model, options.timeout).embed(options.pictures, options.modality)
    if options.out is None:
        for picture, row in zip(options.pictures, found, strict=True):
            print(json.dumps({"picture": str(picture), "descriptor": row.tolist()}))
        return
    with replacing(options.out) as file:
        np.savez(file, descriptors=found, names=np.array([str(picture) for picture in options.pictures]))
    print(f"{options.out}: {len(found)} descriptors of length {found.shape[1]}")


def _parser() -> Parser:
    parser = Parser("hicmd describe", description=__doc__)
    add = parser.add_argument
    add("pictures", nargs="+", metavar="PICTURE", type=Path, help="files of pictures")
    add("--url", default="http://127.0.0.1:8501", metavar="URL", help="of the server (default: %(default)s)")
    add("--model", default="hicmd", metavar="NAME", help="the model's name there (default: %(default)s)")
    add("--modality", required=True, choices=MODALITIES, help="of all pictures")
    add("--timeout", type=time_limit, default=60.0, metavar="S", help="seconds for one request (default: %(default)s)")
    add("--out", metavar="FILE", type=writable, help=".npz file to write, instead of printing a line of JSON a picture")
    return parser
