"""An exported SavedModel behind TensorFlow Serving's REST interface, for one machine.

Starlette answers, one thread computes: requests that come while it is busy are joined. There is no authentication:
keep it on this machine, or put a proxy that asks for one in front.
"""

import argparse
import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hicmd_tf.addresses import bracketed, listening
from hicmd_tf.errors import UserError
from hicmd_tf.export.servable import Failure, Limits, Request, Servable, newest_version

Array = np.ndarray[Any, Any]

RETRY_AFTER = "1"  # seconds, when the server is busy

log = logging.getLogger(__name__)


def serve(options: argparse.Namespace) -> None:
    """Loads, serves until it is stopped, answers open requests. options: of `hicmd serve`."""
    import uvicorn

    limits = _limits(options)
    taken = listening(options.host, options.port)  # what is wrong with it is reported before the model is loaded
    servable = Servable(options.name, newest_version(options.model, options.version), limits)
    servable.warm_up()
    address = f"http://{bracketed(options.host)}:{taken.getsockname()[1]}"
    print(f"serving {servable.name} version {servable.version}: {address}/v1/models/{servable.name}", flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn passes them on after it has answered open requests
        signal.signal(number, lambda *_: None)
    uvicorn.Server(settings(servable, limits)).run(sockets=[taken])
    print("stopped; all requests are answered", flush=True)


def settings(servable: Servable, limits: Limits) -> Any:
    """What uvicorn needs to run the server."""
    import uvicorn

    return uvicorn.Config(
        application(servable, limits),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(limits.seconds) + 1,
    )


def _limits(options: argparse.Namespace) -> Limits:
    """Raises UserError for options that don't go together."""
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
    return Limits(
        body=options.max_body << 20,
        rows=options.max_rows,
        pixels=options.max_pixels * 10**6,
        seconds=options.timeout,
        batch=options.max_batch,
        wait=options.batch_wait / 1000,
        waiting=options.max_waiting,
    )


@dataclass(eq=False)  # each is itself
class _Waiting:
    request: Request
    arrived: float
    answer: "asyncio.Future[Array]"

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
        self._arrival = asyncio.Event()
        self.requests = self.batches = 0

    async def answer(self, request: Request) -> Array:
        """The descriptors of a request. Raises Failure. One that is cancelled before its turn is not computed."""
        waiting = sum(other.request.rows for other in self._waiting)
        if waiting and waiting + request.rows > self._limits.waiting:
            raise Failure(503, f"{waiting} rows are waiting already: try again in a moment")
        loop = asyncio.get_running_loop()
        own = _Waiting(request, loop.time(), loop.create_future())
        self._waiting.append(own)
        self._arrival.set()
        return await own.answer

    async def work(self) -> None:
        """Answers requests until it is cancelled."""
        while True:
            await self._arrival.wait()
            left = self._waiting[0].arrived + self._limits.wait - asyncio.get_running_loop().time()
            if left > 0 and sum(one.request.rows for one in self._waiting) < self._limits.batch:
                await asyncio.sleep(left)
            await self._compute(self._next())
            if not self._waiting:
                self._arrival.clear()

    def _next(self) -> list[_Waiting]:
        """Takes the first request, and those that can be joined to it."""
        first, rows = self._waiting[0], 0
        joined = []
        for one in self._waiting:
            if one is first or (one.key == first.key and rows + one.request.rows <= self._limits.batch):
                joined.append(one)
                rows += one.request.rows
        self._waiting = [one for one in self._waiting if one not in joined]
        return [one for one in joined if not one.answer.done()]

    async def _compute(self, joined: Sequence[_Waiting]) -> None:
        if not joined:
            return
        requests = [one.request for one in joined]
        names = requests[0].inputs
        inputs = {name: np.concatenate([request.inputs[name] for request in requests]) for name in names}
        try:
            found = await asyncio.to_thread(self._run, requests[0].signature, inputs)
        except Exception as error:
            if len(joined) > 1:  # one bad row must not fail its neighbours
                for one in joined:
                    await self._compute([one])
            elif not joined[0].answer.done():
                joined[0].answer.set_exception(error)
            return
        self.batches += 1
        self.requests += len(joined)
        ends = np.cumsum([request.rows for request in requests])[:-1]
        for one, part in zip(joined, np.split(found, ends), strict=True):
            if not one.answer.done():
                one.answer.set_result(part)


def application(servable: Servable, limits: Limits) -> Starlette:
    """The paths of one model, and a health path."""
    batcher = Batcher(servable.run, limits)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        work = asyncio.create_task(batcher.work())
        yield
        work.cancel()

    async def predict(http: HttpRequest) -> Response:
        request = await run_in_threadpool(servable.request, await _body(http, limits.body))
        try:
            found = await asyncio.wait_for(batcher.answer(request), limits.seconds)
        except TimeoutError as error:
            raise Failure(504, f"no answer within {limits.seconds:g} seconds") from error
        named = "predictions" if request.by_row else "outputs"
        return await run_in_threadpool(lambda: JSONResponse({named: found.tolist()}))

    async def status(_: HttpRequest) -> Response:
        ready = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        return JSONResponse({"model_version_status": [{"version": str(servable.version), **ready}]})

    async def metadata(_: HttpRequest) -> Response:
        return JSONResponse(servable.metadata())

    async def health(_: HttpRequest) -> Response:
        return JSONResponse({"status": "ok", "requests": batcher.requests, "batches": batcher.batches})

    def of_model(answer: Callable[[HttpRequest], Awaitable[Response]]) -> Callable[[HttpRequest], Awaitable[Response]]:
        async def checked(http: HttpRequest) -> Response:
            name, version = http.path_params["model"], http.path_params.get("version", str(servable.version))
            if name != servable.name:
                raise Failure(404, f"there is no model {name!r} here, only {servable.name!r}")
            if version != str(servable.version):
                raise Failure(404, f"there is no version {version} of {name!r} here, only {servable.version}")
            return await answer(http)

        return checked

    routes = [Route("/healthz", health)]
    for model in ("/v1/models/{model:str}", "/v1/models/{model:str}/versions/{version:str}"):
        routes += [
            Route(f"{model}:predict", of_model(predict), methods=["POST"]),
            Route(f"{model}/metadata", of_model(metadata)),
            Route(model, of_model(status)),
        ]
    handlers: dict[Any, Any] = {Failure: _failed, HTTPException: _refused, Exception: _broken}
    return Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)


async def _body(http: HttpRequest, most: int) -> bytes:
    """The body, unless it is larger than allowed: then no more of it is read."""
    too_large = Failure(413, f"the body has more than {most} bytes: send fewer or smaller pictures")
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
        raise Failure(400, "the connection ended within the body") from error
    return bytes(found)


def _failed(_: HttpRequest, failure: Failure) -> Response:
    headers = {503: {"Retry-After": RETRY_AFTER}, 413: {"Connection": "close"}}  # the rest of the body is not wanted
    return JSONResponse({"error": str(failure)}, failure.status, headers.get(failure.status))


def _refused(http: HttpRequest, error: HTTPException) -> Response:
    path = http.url.path
    said = {
        404: f"there is nothing at {path}: the paths are those of TensorFlow Serving's REST interface",
        405: f"{http.method} is not what {path} takes",
    }
    return JSONResponse({"error": said.get(error.status_code, error.detail)}, error.status_code, error.headers)


def _broken(_: HttpRequest, error: Exception) -> Response:
    log.error("unforeseen: %r", error)
    return JSONResponse({"error": f"the server failed to answer ({type(error).__name__})"}, 500)
