"""An exported SavedModel behind TF Serving's protocols.

REST: POST http://127.0.0.1:8501/v1/models/hicmd:predict, and the other paths of TF Serving; GET /healthz. gRPC:
127.0.0.1:8500. The newest version is loaded and warmed up before either port opens. Requests that come together are
answered together. There is no authentication: keep it on this machine, or put a proxy that asks for one in front.
"""

import argparse
import signal
import socket
from typing import Any

from hicmd_tf.addresses import bound, bracketed, refused
from hicmd_tf.errors import UserError, require


def serve(options: argparse.Namespace) -> None:
    """Loads, serves until it is stopped, answers what is under way. options: of `hicmd serve`."""
    require("uvicorn", "starlette", "grpc", "tensorflow_serving")
    from hicmd_tf.export.serving.batching import Batcher
    from hicmd_tf.export.serving.limits import Limits
    from hicmd_tf.export.serving.servable import Servable, newest_version
    from hicmd_tf.export.serving.service import Service

    _check(options)
    rest = bound(options.host, options.port)
    bound(options.host, options.grpc_port, "--grpc-port").close()  # said now, not after the model is loaded
    servable = Servable(options.name, newest_version(options.model, options.version))
    servable.warm_up()
    limits = Limits(options.max_body << 20, options.max_rows, options.max_pixels * 10**6, options.timeout)
    batcher = Batcher(servable.run, options.max_batch, options.batch_wait / 1000, options.max_waiting)
    _serve(Service(servable, limits, batcher), rest, options)


def _serve(service: Any, rest: socket.socket, options: argparse.Namespace) -> None:
    import uvicorn

    from hicmd_tf.export.serving.remote import grpc_server
    from hicmd_tf.export.serving.rest import application

    remote, grpc_port = grpc_server(service, f"{bracketed(rest.getsockname()[0])}:{options.grpc_port}")
    remote.start()
    config = uvicorn.Config(
        application(service),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(service.limits.seconds) + 1,
    )
    try:
        rest.listen()  # who reads the line below may ask at once
    except OSError as error:
        raise refused(error, options.host, options.port) from error
    host, port = bracketed(options.host), rest.getsockname()[1]
    servable = service.servable
    print(
        f"serving {servable.name} version {servable.version}: http://{host}:{port}/v1/models/{servable.name}, "
        f"grpc://{host}:{grpc_port}",
        flush=True,
    )
    for number in (signal.SIGINT, signal.SIGTERM):  # which uvicorn hands on when open requests are answered
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run(sockets=[rest])
    remote.stop(service.limits.seconds).wait()
    service.batcher.close()
    print("stopped; all requests are answered", flush=True)


def _check(options: argparse.Namespace) -> None:
    """Raises UserError for options that don't go together."""
    if options.port == options.grpc_port != 0:
        raise UserError(f"--port and --grpc-port are both {options.port}: REST and gRPC need a port each")
    if options.batch_wait >= 1000 * options.timeout:
        raise UserError(
            f"--batch-wait is {options.batch_wait:g} milliseconds, expected less than the {options.timeout:g} seconds "
            f"of --timeout: every request would be late"
        )
    if options.max_batch > options.max_waiting:
        raise UserError(
            f"--max-batch is {options.max_batch}, expected at most the {options.max_waiting} rows of --max-waiting: no "
            f"more can be answered together than may wait"
        )
