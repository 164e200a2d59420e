"""`hicmd serve`: an exported SavedModel behind TensorFlow Serving's REST interface.

  hicmd serve --model models/hicmd

POST http://127.0.0.1:8501/v1/models/hicmd:predict, and TensorFlow Serving's other paths; GET /healthz. The newest
version is loaded and warmed up before the port opens. Requests that come together are answered together. There is no
authentication: keep it on this machine, or put a proxy that asks for one in front.
"""

from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.addresses import listening
from hicmd_tf.arguments import Parser, port, positive, seconds, time_limit
from hicmd_tf.errors import UserError, require, waiting


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, serves until it is stopped."""
    options = _parser().parse_args(arguments)
    require("starlette", "uvicorn")
    from hicmd_tf.export.artefacts import versions

    found = versions(options.model)
    if not found:
        raise UserError(
            f"{options.model} has no numbered versions of a model: expected what hicmd export saved-model makes with "
            f"--out"
        )
    version = options.version or max(found)
    if version not in found:
        raise UserError(f"{options.model} has no version {version}, expected one of {', '.join(map(str, found))}")
    with listening(options.host, options.port) as opened:  # what is wrong with it is said before anything is loaded
        from hicmd_tf.export.server import serve

        waiting(f"loading {options.model}, version {version}")
        serve(found[version], opened, options)


def _parser() -> Parser:
    parser = Parser("hicmd serve", description=__doc__)
    add = parser.add_argument
    add("--model", required=True, metavar="DIR", type=Path, help="folder of numbered versions of a SavedModel")
    add("--name", default="hicmd", help="what requests call it (default: %(default)s)")
    add("--version", type=positive, metavar="N", help="which version (default: the newest)")
    add("--host", default="127.0.0.1", metavar="HOST", help="address to listen on, such as ::1 (default: %(default)s)")
    add("--port", type=port, default=8501, metavar="N", help="0: any free one (default: %(default)s)")
    add("--max-batch", type=positive, default=32, metavar="N", help="rows answered together (default: %(default)s)")
    wait = "milliseconds that a request waits for others (default: %(default)s)"
    add("--batch-wait", type=seconds, default=2, metavar="MS", help=wait)
    add("--max-waiting", type=positive, default=1024, metavar="N", help="rows that may wait (default: %(default)s)")
    add("--max-rows", type=positive, default=256, metavar="N", help="rows of one request (default: %(default)s)")
    add("--max-body", type=positive, default=64, metavar="MIB", help="MiB of one request (default: %(default)s)")
    pixels = "millions of pixels of one encoded picture (default: %(default)s)"
    add("--max-pixels", type=positive, default=25, metavar="MP", help=pixels)
    add("--timeout", type=time_limit, default=60, metavar="S", help="seconds for an answer (default: %(default)s)")
    return parser
