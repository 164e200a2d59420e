"""`python -m export.serve`: an exported SavedModel behind TF Serving's protocols, on a machine without TF Serving.

  python -m export.serve --model models/hicmd

REST: POST http://127.0.0.1:8501/v1/models/hicmd:predict, and the other paths of TF Serving; GET /healthz. gRPC:
127.0.0.1:8500. The newest version is loaded and warmed up before either port opens. Requests that come together are
answered together. There is no authentication: keep it on this machine, or put a proxy that asks for one in front.
"""

import argparse
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hicmd_tf.arguments import Parser, port, positive, seconds
from hicmd_tf.errors import UserError, run_command


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, loads, serves until it is told to stop, answers what is under way."""
    options = _parser().parse_args(arguments)
    from export.serving.batching import Batcher
    from export.serving.limits import Limits
    from export.serving.servable import Servable, newest_version
    from export.serving.service import Service

    rest = _listening(options.host, options.port)
    servable = Servable(options.name, newest_version(options.model, options.version))
    servable.warm_up()
    limits = Limits(options.max_body << 20, options.max_rows, options.max_pixels * 10**6, options.timeout)
    batcher = Batcher(servable.run, options.max_batch, options.batch_wait / 1000, options.max_waiting)
    _serve(Service(servable, limits, batcher), rest, options)


def _serve(service: Any, rest: socket.socket, options: argparse.Namespace) -> None:
    import uvicorn

    from export.serving.remote import grpc_server
    from export.serving.rest import application

    remote, grpc_port = grpc_server(service, f"{options.host}:{options.grpc_port}")
    remote.start()
    config = uvicorn.Config(
        application(service),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(service.limits.seconds) + 1,
    )
    rest.listen()  # who reads the line below may ask at once
    port = rest.getsockname()[1]
    servable = service.servable
    print(
        f"serving {servable.name} version {servable.version}: http://{options.host}:{port}/v1/models/{servable.name}, "
        f"grpc://{options.host}:{grpc_port}",
        flush=True,
    )
    for number in (signal.SIGINT, signal.SIGTERM):  # which uvicorn hands on when open requests are answered
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run(sockets=[rest])
    remote.stop(service.limits.seconds).wait()
    service.batcher.close()
    print("stopped; all requests are answered", flush=True)


def _listening(host: str, port: int) -> socket.socket:
    """A socket of a free port; before the model is loaded, so that a taken one is said at once."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        raise UserError(f"{host}:{port} can't be listened on ({error.strerror}): name a free --port") from error
    return listening


def _parser() -> argparse.ArgumentParser:
    parser = Parser("python -m export.serve", description=__doc__)
    add = parser.add_argument
    add("--model", required=True, metavar="DIR", type=Path, help="folder of numbered versions of a SavedModel")
    add("--name", default="hicmd", help="what requests call it (default: %(default)s)")
    add("--version", type=positive, metavar="N", help="which version (default: the newest)")
    add("--host", default="127.0.0.1", metavar="HOST", help="address to listen on (default: %(default)s)")
    add("--port", type=port, default=8501, metavar="N", help="of REST; 0: any free one (default: %(default)s)")
    add("--grpc-port", type=port, default=8500, metavar="N", help="of gRPC; 0: any (default: %(default)s)")
    add("--max-batch", type=positive, default=32, metavar="N", help="rows answered together (default: %(default)s)")
    add(
        "--batch-wait",
        type=seconds,
        default=2,
        metavar="MS",
        help="milliseconds that a request waits for others (default: %(default)s)",
    )
    add("--max-waiting", type=positive, default=1024, metavar="N", help="rows that may wait (default: %(default)s)")
    add("--max-rows", type=positive, default=256, metavar="N", help="rows of one request (default: %(default)s)")
    add("--max-body", type=positive, default=64, metavar="MIB", help="MiB of one request (default: %(default)s)")
    add(
        "--max-pixels",
        type=positive,
        default=25,
        metavar="MP",
        help="millions of pixels of one encoded picture (default: %(default)s)",
    )
    add("--timeout", type=seconds, default=60, metavar="S", help="seconds for an answer (default: %(default)s)")
    return parser


if __name__ == "__main__":
    run_command(main)
