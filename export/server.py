"""An exported SavedModel behind TensorFlow Serving's REST interface, for one machine.

Starlette answers, one thread computes: requests that come while it is busy are joined. There is no authentication:
keep it on this machine, or put a proxy that asks for one in front.
"""

import argparse
import asyncio
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hicmd_tf.addresses import bracketed
from hicmd_tf.export.servable import Limits, Request, Servable

Array = np.ndarray[Any, Any]


def serve(folder: Path, opened: socket.socket, options: argparse.Namespace) -> None:
    """Loads, serves until it is stopped, answers open requests.

    folder: of a version. opened: listens at the options' address. options: of `hicmd serve`.
    """
    limits = Limits(
        body=options.max_body << 20,
        rows=options.max_rows,
        pixels=options.max_pixels * 10**6,
        seconds=options.timeout,
        batch=options.max_batch,
        wait=options.batch_wait / 1000,
        waiting=options.max_waiting,
    )
    servable = Servable(options.name, folder, limits)
    servable.warm_up()
    address = f"http://{bracketed(options.host)}:{opened.getsockname()[1]}"
    print(f"serving {servable.name} version {servable.version}: {address}/v1/models/{servable.name}", flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn passes them on after it has answered open requests
        signal.signal(number, lambda *_: None)
    uvicorn.Server(settings(servable, limits)).run(sockets=[opened])
    print("stopped; all requests are answered", flush=True)


def settings(servable: Servable, limits: Limits) -> uvicorn.Config:
    """The configuration with which uvicorn runs the server."""
    return uvicorn.Config(
        application(servable, limits),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(limits.seconds) + 1,
    )


@dataclass(eq=False)  # each is itself
class _Waiting:
    request: Request
    found: Array | Exception | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for requests that may be joined."""
        return (self.request.signature, *(value.shape[1:] for value in self.request.inputs.values()))


class Batcher:
    """Requests that wait are computed together, those of one signature and picture size, one batch at a time.

    run: (signature, inputs) -> descriptors. requests, batches: answered so far.
    """

    def __init__(self, run: Callable[[str, dict[str, Array]], Array], limits: Limits) -> None:
        self._run, self._limits = run, limits
        self._waiting: list[_Waiting] = []
        self._turn = asyncio.Lock()
        self.requests = self.batches = 0

    async def answer(self, request: Request) -> Array:
        """The descriptors of a request: whose turn comes first computes for those that can be joined. Raises
        HTTPException. One that is cancelled before its turn is not computed."""
        waiting = sum(other.request.rows for other in self._waiting)
        if waiting and waiting + request.rows > self._limits.waiting:
            said = f"{waiting} rows are waiting already: try again in a moment"
            raise HTTPException(503, said, {"Retry-After": "1"})
        own = _Waiting(request)
        self._waiting.append(own)
        try:
            await asyncio.sleep(self._limits.wait)
            await asyncio.shield(self._in_turn(own))  # which others' answers may come of
        finally:
            self._waiting = [one for one in self._waiting if one is not own]
        if isinstance(own.found, Exception):
            raise own.found
        return own.found  # type: ignore[return-value]

    async def _in_turn(self, own: _Waiting) -> None:
        async with self._turn:
            if own in self._waiting:  # neither answered beside another one nor cancelled
                await self._compute(self._joined(own))

    def _joined(self, first: _Waiting) -> list[_Waiting]:
        """Takes a request, and those that can be joined to it, out of those that wait."""
        joined, rows = [first], first.request.rows
        for one in self._waiting:
            if one is not first and one.key == first.key and rows + one.request.rows <= self._limits.batch:
                joined.append(one)
                rows += one.request.rows
        self._waiting = [one for one in self._waiting if one not in joined]
        return joined

    async def _compute(self, joined: Sequence[_Waiting]) -> None:
        requests = [one.request for one in joined]
        names = requests[0].inputs
        inputs = {name: np.concatenate([request.inputs[name] for request in requests]) for name in names}
        try:
            found = await asyncio.to_thread(self._run, requests[0].signature, inputs)
        except Exception as error:
            if len(joined) == 1:
                joined[0].found = error
                return
            for one in joined:  # one bad row must not fail its neighbours
                await self._compute([one])
            return
        self.batches += 1
        self.requests += len(joined)
        ends = np.cumsum([request.rows for request in requests])[:-1]
        for one, part in zip(joined, np.split(found, ends), strict=True):
            one.found = part


def application(servable: Servable, limits: Limits) -> Starlette:
    """The paths of one model, and a health path."""
    batcher = Batcher(servable.run, limits)

    async def predict(http: HttpRequest) -> Response:
        request = await run_in_threadpool(servable.request, await _body(http, limits.body))
        try:
            found = await asyncio.wait_for(batcher.answer(request), limits.seconds)
        except TimeoutError as error:
            raise HTTPException(504, f"no answer within {limits.seconds:g} seconds") from error
        named = "predictions" if request.by_row else "outputs"
        return await run_in_threadpool(lambda: JSONResponse({named: found.tolist()}))

    async def status(_: HttpRequest) -> Response:
        ready = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        return JSONResponse({"model_version_status": [{"version": str(servable.version), **ready}]})

    async def metadata(_: HttpRequest) -> Response:
        return JSONResponse(servable.metadata())

    async def health(_: HttpRequest) -> Response:
        return JSONResponse({"status": "ok", "requests": batcher.requests, "batches": batcher.batches})

    async def refused(http: HttpRequest, error: Any) -> Response:
        nothing = f"there is nothing at {http.url.path}: the model is {base}, version {servable.version}"
        said = nothing if error.status_code == 404 else error.detail
        return JSONResponse({"error": said}, error.status_code, error.headers)

    async def broken(_: HttpRequest, error: Exception) -> Response:
        return JSONResponse({"error": f"the server failed to answer ({type(error).__name__})"}, 500)

    base, routes = f"/v1/models/{servable.name}", [Route("/healthz", health)]
    for path in (base, f"{base}/versions/{servable.version}"):
        routes += [
            Route(f"{path}:predict", predict, methods=["POST"]),
            Route(f"{path}/metadata", metadata),
            Route(path, status),
        ]
    return Starlette(routes=routes, exception_handlers={HTTPException: refused, Exception: broken})


async def _body(http: HttpRequest, most: int) -> bytes:
    """The body, unless it is larger than allowed: then no more of it is read."""
    said = f"the body has more than {most} bytes: send fewer or smaller pictures"
    too_large = HTTPException(413, said, {"Connection": "close"})
    declared = http.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > most:
        raise too_large
    found = bytearray()
    try:
        async for part in http.stream():
            found += part
            if len(found) > most:
                raise too_large
    except ClientDisconnect as error:
        raise HTTPException(400, "the connection ended within the body") from error
    return bytes(found)
