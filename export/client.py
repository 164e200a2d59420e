"""`python -m export.client`: descriptors from a server, which is TensorFlow Serving or `export.serve`.

  python -m export.client --url http://127.0.0.1:8501 --modality visible PICTURE.. --out descriptors.npz

and from Python, with NumPy and Pillow only:

    client = Client("http://127.0.0.1:8501")
    descriptors = client.embed(["a.jpg", "b.png"], "infrared")

grpc://127.0.0.1:8500 speaks gRPC instead, for which tensorflow-serving-api is needed.
"""

import argparse
import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.arguments import Parser, writable
from hicmd_tf.errors import UserError, run_command
from hicmd_tf.files import replacing
from hicmd_tf.notation import MODALITIES, Modality
from hicmd_tf.pictures.bounds import BadPictureError, content
from hicmd_tf.pictures.decode import as_png, simple

Array = np.ndarray[Any, Any]
Picture = str | Path | bytes | Array

ROWS = 32  # of one request
BYTES = 16 << 20  # of one request, before base64
WAIT = 0.2  # seconds before a request is tried again; twice as long each time


class Client:
    """A model on a server.

    url: http://, https:// or grpc://, with host and port. model: its name there. timeout: seconds for one request.
    retries: how often a request is repeated when the server is busy.
    """

    def __init__(self, url: str, model: str = "hicmd", timeout: float = 60.0, retries: int = 5) -> None:
        if not url.startswith(("http://", "https://", "grpc://")):
            raise UserError(f"{url} is no address of a server: expected such as http://127.0.0.1:8501")
        self._url, self._model, self._timeout, self._retries = url.rstrip("/"), model, timeout, retries
        self._stub = _stub(url.removeprefix("grpc://")) if url.startswith("grpc://") else None

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
        return np.asarray(found["outputs"], np.float32)

    def _http(self, path: str, body: Any = None) -> dict[str, Any]:
        if self._stub is not None:
            raise UserError("only http:// tells status and metadata: give that address")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}/v1/models/{self._model}{path}", data)
        for attempt in range(self._retries + 1):
            try:
                with urllib.request.urlopen(request, timeout=self._timeout) as response:
                    found: dict[str, Any] = json.load(response)
                    return found
            except urllib.error.HTTPError as error:
                if error.code != 503 or attempt == self._retries:
                    raise UserError(f"{self._url} refuses: {_said(error)}") from error
                time.sleep(WAIT * 2**attempt)
            except (OSError, ValueError) as error:
                reason = getattr(error, "reason", None) or error
                raise UserError(f"{self._url} can't be asked ({reason}): is a server running there?") from error
        raise AssertionError("every attempt returns or raises")

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
                return np.asarray(tf.make_ndarray(response.outputs["descriptors"]))
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE or attempt == self._retries:
                    raise UserError(f"{self._url} refuses: {error.details()}") from error
                time.sleep(WAIT * 2**attempt)
        raise AssertionError("every attempt returns or raises")


def _stub(address: str) -> Any:
    import grpc
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    return PredictionServiceStub(grpc.insecure_channel(address, [("grpc.max_send_message_length", -1)]))


def _said(error: urllib.error.HTTPError) -> str:
    """A server's own words, in one line."""
    try:
        return " ".join(str(json.load(error)["error"]).split())
    except (ValueError, KeyError, TypeError, OSError):
        return f"{error.code} {error.reason}"


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, asks, prints or writes the descriptors."""
    options = _parser().parse_args(arguments)
    found = Client(options.url, options.model, options.timeout).embed(options.pictures, options.modality)
    if options.out is None:
        for picture, row in zip(options.pictures, found, strict=True):
            print(json.dumps({"picture": str(picture), "descriptor": row.tolist()}))
        return
    with replacing(options.out) as file:
        np.savez(file, descriptors=found, names=np.array([str(picture) for picture in options.pictures]))
    print(f"{options.out}: {len(found)} descriptors of length {found.shape[1]}")


def _parser() -> argparse.ArgumentParser:
    parser = Parser("python -m export.client", description=__doc__)
    add = parser.add_argument
    add("pictures", nargs="+", metavar="PICTURE", type=Path, help="files of pictures")
    add("--url", default="http://127.0.0.1:8501", metavar="URL", help="of the server (default: %(default)s)")
    add("--model", default="hicmd", metavar="NAME", help="the model's name there (default: %(default)s)")
    add("--modality", required=True, choices=MODALITIES, help="of all pictures")
    add("--timeout", type=float, default=60.0, metavar="S", help="seconds for one request (default: %(default)s)")
    add("--out", metavar="FILE", type=writable, help=".npz file to write, instead of printing a line of JSON a picture")
    return parser


if __name__ == "__main__":
    run_command(main)
