"""TF Serving's REST interface, and a health path, as a Starlette application."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
from google.protobuf.json_format import MessageToDict
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hicmd_tf.export.serving.failures import Failure, Kind
from hicmd_tf.export.serving.requests import answer, arrays, parse
from hicmd_tf.export.serving.service import Service

Array = np.ndarray[Any, Any]

RETRY_AFTER = "1"  # seconds, when the server is busy

log = logging.getLogger("hicmd_tf.export.serve")


def application(service: Service) -> Starlette:
    """The paths of `service`'s one model."""

    def endpoint(call: Callable[[Service, Request], Any]) -> Callable[[Request], Any]:
        async def run(request: Request) -> Response:
            service.find(request.path_params["model"], request.path_params.get("version"))
            return JSONResponse(await call(service, request))

        return run

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", **service.counts()})

    routes = [Route("/healthz", health)]
    for model in ("/v1/models/{model:str}", "/v1/models/{model:str}/versions/{version:str}"):
        routes += [
            Route(f"{model}:predict", endpoint(_predict), methods=["POST"]),
            Route(f"{model}/metadata", endpoint(_metadata)),
            Route(model, endpoint(_status)),
        ]
    return Starlette(
        routes=routes,
        exception_handlers={Failure: _failed, HTTPException: _refused, Exception: _broken},
    )


async def _predict(service: Service, request: Request) -> dict[str, Any]:
    body = await _body(request, service.limits.body)
    asked = await run_in_threadpool(parse, body)
    del body
    signature = asked.signature
    dtypes = {name: spec.dtype.as_numpy_dtype for name, spec in service.servable.specs(signature).items()}
    inputs = await run_in_threadpool(arrays, asked, {name: np.dtype(dtype) for name, dtype in dtypes.items()})
    future = await run_in_threadpool(service.submit, signature, inputs, service.limits.seconds)
    outputs = await _awaited(future, service.limits.seconds)
    return await run_in_threadpool(answer, asked, outputs)


async def _body(request: Request, most: int) -> bytes:
    """The body, unless it is larger than allowed: then no more of it is read."""
    refused = Failure(Kind.TOO_LARGE, f"the body has more than {most} bytes: send fewer or smaller pictures")
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > most:
        raise refused
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise refused
            parts.append(part)
    except ClientDisconnect as error:
        raise Failure(Kind.INVALID, "the connection ended within the body") from error
    return b"".join(parts)


async def _awaited(future: Future[dict[str, Array]], seconds: float) -> dict[str, Array]:
    try:
        return await asyncio.wait_for(asyncio.wrap_future(future), seconds)
    except TimeoutError as error:
        raise Failure(Kind.LATE, f"no answer within {seconds:g} seconds") from error


async def _status(service: Service, _: Request) -> dict[str, Any]:
    status = {"error_code": "OK", "error_message": ""}
    return {
        "model_version_status": [
            {"version": str(service.servable.version), "state": "AVAILABLE", "status": status},
        ]
    }


async def _metadata(service: Service, _: Request) -> dict[str, Any]:
    signatures = {
        name: MessageToDict(definition, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        for name, definition in service.servable.signature_defs.items()
        if name in service.servable.inputs
    }
    model = {"name": service.servable.name, "signature_name": "", "version": str(service.servable.version)}
    return {"model_spec": model, "metadata": {"signature_def": {"signature_def": signatures}}}


def _failed(_: Request, failure: Exception) -> Response:
    assert isinstance(failure, Failure)
    status = failure.kind.value[0]
    headers = {"Retry-After": RETRY_AFTER} if failure.kind is Kind.BUSY else {}
    if failure.kind is Kind.TOO_LARGE:
        headers["Connection"] = "close"  # what is left of the body is not wanted
    return JSONResponse({"error": str(failure)}, status, headers)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {
        404: f"there is nothing at {request.url.path}: the paths are those of TensorFlow Serving's REST interface",
        405: f"{request.method} is not what {request.url.path} takes",
    }
    return JSONResponse({"error": said.get(error.status_code, error.detail)}, error.status_code, error.headers)


def _broken(_: Request, error: Exception) -> Response:
    log.error("unforeseen: %r", error)
    return JSONResponse({"error": f"the server failed to answer ({type(error).__name__})"}, 500)
