"""Descriptors from a server, which is TensorFlow Serving or ours, with NumPy, Pillow and httpx only.

client = Client("http://127.0.0.1:8501")
descriptors = client.embed(["a.jpg", "b.png"], "infrared")
"""

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import numpy as np

from hicmd_tf.addresses import is_this_machine
from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES, Modality
from hicmd_tf.pictures.bounds import BadPictureError, content
from hicmd_tf.pictures.decode import as_png, simple

Array = np.ndarray[Any, Any]
Picture = str | Path | bytes | Array
T = TypeVar("T")

ROWS = 32  # of one request
BYTES = 16 << 20  # of one request, before base64
LARGEST_ANSWER = 256 << 20  # bytes; descriptors of one request, as text, have some megabytes
WAIT = 0.2  # seconds before a request is tried again; twice as long each time


class Client:
    """A model on a server. A server on this machine is asked directly, another one by the environment's proxies.

    Args:
        url: http:// or https:// with host and port; IPv6 addresses in brackets.
        model: its name there.
        timeout: seconds for one request and its whole answer.
        retries: how often a request is repeated while the server is busy.
    """

    def __init__(self, url: str, model: str = "hicmd", timeout: float = 60.0, retries: int = 5) -> None:
        direct = is_this_machine(_host(url))
        self._url, self._model, self._timeout, self._retries = url.rstrip("/"), model, timeout, retries
        self._options: dict[str, Any] = {
            "trust_env": not direct,
            "verify": ssl.create_default_context(),
            "timeout": None,  # the whole request has one
        }

    def embed(self, pictures: Sequence[Picture] | Array, modality: Modality) -> Array:
        """Pictures -> descriptors (N, E) float32, rows of length 1.

        pictures: paths or bytes of encoded files, or uint8 arrays (H, W, 3), RGB; sizes may differ. Raises UserError
        for a file that can't be read, a server that can't be reached, and for what it refuses, in its words.
        """
        parts = list(self.parts(pictures, modality))
        if not parts:
            raise UserError("there are no pictures to describe: give at least one")
        return np.concatenate(parts)

    def parts(self, pictures: Iterable[Picture], modality: Modality) -> Iterator[Array]:
        """The same request by request, as answers come."""
        if modality not in MODALITIES:
            raise UserError(f"modality is {modality!r}, expected {' or '.join(map(repr, MODALITIES))}")
        for part in _requests(map(_encoded, pictures)):
            rows = [{"b64": base64.b64encode(one).decode()} for one in part]
            body = {"signature_name": f"{modality}_bytes", "inputs": {"picture_bytes": rows}}
            yield self._descriptors(self._ask(":predict", body).get("outputs"), len(part))

    def status(self) -> dict[str, Any]:
        """What the server says of the model's versions."""
        return self._ask("")

    def metadata(self) -> dict[str, Any]:
        """The model's signatures."""
        return self._ask("/metadata")

    def _descriptors(self, found: Any, rows: int) -> Array:
        """What a server answered as descriptors (rows, E). Raises UserError where it is something else."""
        try:
            descriptors = np.asarray(found, np.float32)
        except (TypeError, ValueError):
            descriptors = np.empty(0, np.float32)
        if descriptors.ndim != 2 or len(descriptors) != rows or not np.isfinite(descriptors).all():
            raise UserError(
                f"{self._url} answers with something else than {rows} descriptors: name the --model that hicmd export "
                f"saved-model made, and the server that has it"
            )
        return descriptors

    def _ask(self, path: str, body: Any = None) -> dict[str, Any]:
        for attempt in range(self._retries + 1):
            try:
                response = _run(self._answer(path, body))
            except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError) as error:  # of proxies, too
                reason = "no answer in time" if isinstance(error, TimeoutError) else _line(error)
                raise UserError(f"{self._url} can't be asked ({reason}): is a server running there?") from error
            if response.status_code != 503 or attempt == self._retries:
                break
            time.sleep(WAIT * 2**attempt)
        try:
            found = json.loads(response.content)
        except (ValueError, RecursionError):
            found = None
        if not response.is_success:
            raise UserError(f"{self._url} refuses: {_said(response, found)}")
        if not isinstance(found, dict):
            raise UserError(f"{self._url} answers with no JSON object: is that the REST port of a server of models?")
        return found

    async def _answer(self, path: str, body: Any) -> httpx.Response:
        """A whole answer. Raises TimeoutError when it takes too long, and OSError when it is too long."""
        url = f"{self._url}/v1/models/{quote(self._model, '')}{path}"
        method, data = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
        async with (
            asyncio.timeout(self._timeout),
            httpx.AsyncClient(**self._options) as client,
            client.stream(method, url, content=data) as response,
        ):
            found = bytearray()
            async for part in response.aiter_bytes():
                found += part
                if len(found) > LARGEST_ANSWER:
                    raise OSError(f"the answer has more than {LARGEST_ANSWER >> 20} MiB")
        return httpx.Response(response.status_code, content=bytes(found), headers=_location(response))


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """A coroutine's result, also for a caller who runs an event loop, as notebooks do."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def _host(url: str) -> str:
    """The host of a server's address. Raises UserError for what is none."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:  # an IPv6 address without brackets, a port that is not a number
        parts, host = urlsplit(""), ""
    plain = url.isprintable() and " " not in url and "@" not in parts.netloc and not parts.query and not parts.fragment
    if parts.scheme not in ("http", "https") or not host or not plain:
        raise UserError(f"{url} is no address of a server: expected such as http://127.0.0.1:8501 or http://[::1]:8501")
    return host


def _location(response: httpx.Response) -> dict[str, str]:
    return {"Location": response.headers["Location"]} if "Location" in response.headers else {}


def _said(response: httpx.Response, found: Any) -> str:
    """A server's own words, in one line. Another place is reported, not visited: pictures are for the named server."""
    if "Location" in response.headers:
        return f"it sends on to {_line(response.headers['Location'])}: give the address that answers itself"
    said = found.get("error") if isinstance(found, dict) else None
    return _line(said or f"{response.status_code} {response.reason_phrase}")


def _line(said: Any) -> str:
    return " ".join(str(said).split())[:300] or type(said).__name__


def _encoded(picture: Picture) -> bytes:
    """A picture as the bytes of a file that every server takes; arrays become PNG, which keeps every grey level."""
    if isinstance(picture, bytes | str | Path):
        name = "given as bytes" if isinstance(picture, bytes) else picture
        try:
            return simple(picture if isinstance(picture, bytes) else content(Path(picture)))
        except BadPictureError as error:
            raise UserError(f"picture {name} {error.told('give another one')}") from error
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[-1] != 3 or 0 in picture.shape:
        raise UserError(f"a picture is {picture.dtype} {picture.shape}, expected uint8 (H, W, 3), RGB")
    return as_png(picture)


def _requests(encoded: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The pictures in requests of a bounded size."""
    part: list[bytes] = []
    size = 0
    for one in encoded:
        if part and (len(part) == ROWS or size + len(one) > BYTES):
            yield part
            part, size = [], 0
        part.append(one)
        size += len(one)
    if part:
        yield part
