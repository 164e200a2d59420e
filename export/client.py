"""Descriptors from a server, which is TensorFlow Serving or ours; with NumPy and Pillow only:

    client = Client("http://127.0.0.1:8501")
    descriptors = client.embed(["a.jpg", "b.png"], "infrared")

grpc://127.0.0.1:8500 speaks gRPC instead, for which tensorflow-serving-api is needed.
"""

import base64
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np

from hicmd_tf.addresses import is_this_machine
from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES, Modality
from hicmd_tf.pictures.bounds import BadPictureError, content
from hicmd_tf.pictures.decode import as_png, simple

Array = np.ndarray[Any, Any]
Picture = str | Path | bytes | Array

ROWS = 32  # of one request
BYTES = 16 << 20  # of one request, before base64
LARGEST_ANSWER = 256 << 20  # bytes; descriptors of one request, as text, have some megabytes
WAIT = 0.2  # seconds before a request is tried again; twice as long each time
SCHEMES = ("http", "https", "grpc")


class Client:
    """A model on a server. A server on this machine is asked directly, another one by the environment's proxies.

    url: http://, https:// or grpc://, with host and port; IPv6 addresses in brackets. model: its name there. timeout:
    seconds for one request. retries: how often a request is repeated when the server is busy.
    """

    def __init__(self, url: str, model: str = "hicmd", timeout: float = 60.0, retries: int = 5) -> None:
        scheme, address, direct = _parsed(url)
        self._url, self._model, self._timeout, self._retries = url.rstrip("/"), model, timeout, retries
        self._stub = _stub(address, direct) if scheme == "grpc" else None
        proxies = [urllib.request.ProxyHandler({})] if direct else []  # without one it takes the environment's
        self._opener = urllib.request.build_opener(_NoRedirects, *proxies)

    def embed(self, pictures: Sequence[Picture] | Array, modality: Modality) -> Array:
        """Pictures -> descriptors (N, E) float32, rows of length 1.

        pictures: paths or bytes of encoded files, or uint8 arrays (H, W, 3), RGB; sizes may differ. Raises UserError
        for a file that can't be read, a server that can't be reached, and for what it refuses, in its words.
        """
        if modality not in MODALITIES:
            raise UserError(f"modality is {modality!r}, expected {' or '.join(map(repr, MODALITIES))}")
        parts = [self._ask(f"{modality}_bytes", part) for part in _parts(map(_encoded, pictures))]
        if not parts:
            raise UserError("there are no pictures to describe: give at least one")
        return np.concatenate(parts)

    def status(self) -> dict[str, Any]:
        """What the server says of the model's versions."""
        return self._http("")

    def metadata(self) -> dict[str, Any]:
        """The model's signatures."""
        return self._http("/metadata")

    def _ask(self, signature: str, encoded: Sequence[bytes]) -> Array:
        if self._stub is not None:
            return self._ask_grpc(signature, encoded)
        rows = [{"b64": base64.b64encode(one).decode()} for one in encoded]
        found = self._http(":predict", {"signature_name": signature, "inputs": {"picture_bytes": rows}})
        return self._descriptors(found.get("outputs"), len(encoded))

    def _descriptors(self, found: Any, rows: int) -> Array:
        """What a server answered as descriptors (rows, E). Raises UserError where it is something else."""
        try:
            descriptors = np.asarray(found, np.float32)
        except (TypeError, ValueError):
            descriptors = np.empty(0, np.float32)
        if descriptors.ndim != 2 or len(descriptors) != rows or not np.isfinite(descriptors).all():
            raise UserError(
                f"{self._url} answers with something else than {rows} descriptors: name the --model that "
                f"hicmd export saved-model made, and the server that has it"
            )
        return descriptors

    def _http(self, path: str, body: Any = None) -> dict[str, Any]:
        if self._stub is not None:
            raise UserError("only http:// tells status and metadata: give that address")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}/v1/models/{quote(self._model, '')}{path}", data)
        for attempt in range(self._retries + 1):
            try:
                with self._opener.open(request, timeout=self._timeout) as response:
                    content = self._read(response)
                break
            except urllib.error.HTTPError as error:
                if error.code != 503 or attempt == self._retries:
                    raise UserError(f"{self._url} refuses: {self._said(error)}") from error
                time.sleep(WAIT * 2**attempt)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise UserError(
                    f"{self._url} can't be asked ({_failure(error)}): is a server running there?"
                ) from error
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise UserError(f"{self._url} answers with no JSON object: is that the REST port of a server of models?")
        return found

    def _read(self, response: Any) -> bytes:
        """A whole answer. Raises OSError or HTTPException when it ends early, is too long or takes too long."""
        deadline = time.monotonic() + self._timeout
        parts, size = [], 0
        while part := response.read1(1 << 16):
            parts.append(part)
            size += len(part)
            if size > LARGEST_ANSWER:
                raise OSError(f"the answer has more than {LARGEST_ANSWER >> 20} MiB")
            if time.monotonic() > deadline:
                raise TimeoutError
        if response.length:  # bytes that were announced and did not come
            raise http.client.IncompleteRead(b"", response.length)
        return b"".join(parts)

    def _said(self, error: urllib.error.HTTPError) -> str:
        """A server's own words, in one line."""
        place = error.headers.get("Location") if 300 <= error.code < 400 else None
        if place:
            return f"it sends on to {_line(place)}: give the address that answers itself"
        try:
            return _line(json.loads(self._read(error))["error"])
        except (ValueError, KeyError, TypeError, OSError, RecursionError, http.client.HTTPException):
            return _line(f"{error.code} {error.reason}")

    def _ask_grpc(self, signature: str, encoded: Sequence[bytes]) -> Array:
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis.predict_pb2 import PredictRequest

        assert self._stub is not None
        request = PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = self._model, signature
        request.inputs["picture_bytes"].CopyFrom(tf.make_tensor_proto(list(encoded), tf.string))
        for attempt in range(self._retries + 1):
            try:
                response = self._stub.Predict(request, timeout=self._timeout)
                break
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNAVAILABLE and attempt < self._retries:
                    time.sleep(WAIT * 2**attempt)
                    continue
                said = _line(error.details())
                if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    said = f"{self._url} can't be asked ({said}): is a server running there, and is that its gRPC port?"
                    raise UserError(said) from error
                raise UserError(f"{self._url} refuses: {said}") from error
        try:
            return self._descriptors(tf.make_ndarray(response.outputs["descriptors"]), len(encoded))
        except TypeError:  # of a tensor that is none, as one that is missing
            return self._descriptors(None, len(encoded))


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Another place is said, not gone to: pictures are for the server that was named."""

    def redirect_request(self, *_: Any) -> None:
        """None: the answer is an error."""


def _parsed(url: str) -> tuple[str, str, bool]:
    """Scheme, host with port, and whether that is this machine. Raises UserError for what is no server's address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:  # an IPv6 address without brackets, a port that is not a number
        parts, host, port = urlsplit(""), "", None
    plain = url.isprintable() and " " not in url and "@" not in parts.netloc and not parts.query and not parts.fragment
    if parts.scheme == "grpc":
        plain = plain and port is not None and not parts.path.strip("/")
    if parts.scheme not in SCHEMES or not host or not plain:
        raise UserError(
            f"{url} is no address of a server: expected such as http://127.0.0.1:8501, http://[::1]:8501 or "
            f"grpc://127.0.0.1:8500"
        )
    return parts.scheme, parts.netloc, is_this_machine(host)


def _stub(address: str, direct: bool) -> Any:
    import grpc
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    options = [("grpc.max_send_message_length", -1), ("grpc.enable_http_proxy", int(not direct))]
    return PredictionServiceStub(grpc.insecure_channel(address, options))


def _failure(error: Exception) -> str:
    """Why there is no answer, in words."""
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, http.client.IncompleteRead):
        return "the connection ended before the answer did"
    if isinstance(reason, http.client.HTTPException) and not isinstance(reason, OSError):
        return f"the answer is not HTTP: {_line(repr(reason))}"
    return _line(reason)


def _line(said: Any) -> str:
    return " ".join(str(said).split())[:300]


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


def _parts(encoded: Iterator[bytes]) -> Iterator[list[bytes]]:
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
