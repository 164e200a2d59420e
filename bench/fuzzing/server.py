"""The server of `hicmd_tf.export.serve` in a thread of this process, and its answers told as a command's are.

A status from 400 to 499 with one line of JSON is a refusal. Behind each request a good one must be answered.
"""

import base64
import http.client
import io
import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from bench.fuzzing.cases import Material
from hicmd_tf.errors import EXIT_CODE

ENTRY = "hicmd_tf.export.serve, HTTP"
PREDICT = "/v1/models/hicmd:predict"

_running: dict[str, int] = {}


class Request(NamedTuple):
    """As it goes over the wire."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]


@cache
def whole_body() -> bytes:
    """Of a request that is answered: a small picture, encoded."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (12, 20), (90, 120, 30)).save(file, "PNG")
    rows = [{"b64": base64.b64encode(file.getvalue()).decode()}]
    return json.dumps({"signature_name": "visible_bytes", "inputs": {"picture_bytes": rows}}).encode()


@contextmanager
def serving(material: Material) -> Iterator[None]:
    """A server of the exported model until the end of the block, on any free port."""
    import uvicorn

    from hicmd_tf.export.serving.batching import Batcher
    from hicmd_tf.export.serving.limits import Limits
    from hicmd_tf.export.serving.rest import application
    from hicmd_tf.export.serving.servable import Servable
    from hicmd_tf.export.serving.service import Service

    servable = Servable("hicmd", material.saved_model)
    batcher = Batcher(servable.run, 8, 0.001, 64)
    config = uvicorn.Config(application(Service(servable, Limits(), batcher)), log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        _running["port"] = listening.getsockname()[1]
        thread = threading.Thread(target=lambda: server.run(sockets=[listening]), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(10)
            batcher.close()


def ask_server(_: str, request: Request) -> None:
    """Raises SystemExit with exit code 2, and prints the server's line, when it refuses. Raises AssertionError when it
    answers in another form, or no good request any more."""
    status, body = _sent(request)
    good, found = _sent(Request("POST", PREDICT, whole_body(), {}))
    assert good == 200 and json.loads(found)["outputs"], f"a good request is answered {good} {found[:100]!r}"
    if status < 400:
        return
    assert status < 500, f"status {status}: {body[:200]!r}"
    if request.method == "HEAD":
        said: Any = "no body"
    elif b"{" not in body[:1]:  # of uvicorn, to what is no HTTP
        said = body.decode("ascii")
    else:
        said = json.loads(body)["error"]
    assert isinstance(said, str) and said and "\n" not in said and "Traceback" not in said, said
    print(f"error: {status} {said}", file=sys.stderr)
    raise SystemExit(EXIT_CODE)


def _sent(request: Request) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", _running["port"], timeout=20)
    try:
        connection.putrequest(request.method, request.path, skip_host="Host" in request.headers)
        if "Content-Length" not in request.headers and "Transfer-Encoding" not in request.headers:
            connection.putheader("Content-Length", str(len(request.body)))
        for name, value in request.headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.sock.settimeout(3)
        connection.send(request.body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
