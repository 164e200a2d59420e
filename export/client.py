"""Descriptors from a server, which is TensorFlow Serving or ours, with NumPy, Pillow and httpx only.

client = Client("http://127.0.0.1:8501")
descriptors = client.embed(["a.jpg", "b.png"], "infrared")
"""

import base64
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
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
WAIT = 0.2  # seconds before a request is tried again; twice as long each time


class Client:
    """A model on a server. A server on this machine is asked directly, another one by the environment's proxies.

    Args:
        url: http:// or https:// with host and port; IPv6 addresses in brackets.
        model: its name there.
        timeout: seconds for which the server may say nothing.
        retries: how often a request is repeated while the server is busy.
    """

    def __init__(self, url: str, model: str = "hicmd", timeout: float = 60.0, retries: int = 5) -> None:
        self._url, self._model, self._retries = url.rstrip("/"), model, retries
        self._options: dict[str, Any] = {
            "trust_env": not is_this_machine(_host(url)),
            "verify": ssl.create_default_context(),
            "timeout": timeout,
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
            answer = self._ask({"signature_name": f"{modality}_bytes", "inputs": {"picture_bytes": rows}})
            try:
                found = np.asarray(answer["outputs"], np.float32)
            except (KeyError, TypeError, ValueError):
                found = np.empty(0, np.float32)
            if found.ndim != 2 or len(found) != len(part) or not np.isfinite(found).all():
                raise UserError(
                    f"{self._url} answers with something else than {len(part)} descriptors: name the --model that "
                    f"hicmd export saved-model made, and the server that has it"
                )
            yield found

    def _ask(self, body: Any) -> Any:
        for attempt in range(self._retries + 1):
            try:
                url = f"{self._url}/v1/models/{quote(self._model, '')}:predict"
                response = httpx.post(url, json=body, **self._options)
            except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError) as error:  # of proxies, too
                reason = "no answer in time" if isinstance(error, httpx.TimeoutException) else _line(error)
                raise UserError(f"{self._url} can't be asked ({reason}): is a server running there?") from error
            if response.status_code != 503 or attempt == self._retries:
                break
            time.sleep(WAIT * 2**attempt)
        if "Location" in response.headers:  # another place is reported, not visited: pictures are for the named server
            to = _line(response.headers["Location"])
            raise UserError(f"{self._url} refuses: it sends on to {to}: give the address that answers itself")
        try:
            found = response.json()
        except (ValueError, RecursionError):
            found = None
        if not response.is_success:
            said = found.get("error") if isinstance(found, dict) else None
            words = said or f"{response.status_code} {response.reason_phrase}"
            raise UserError(f"{self._url} refuses: {_line(words)}")
        return found


def _host(url: str) -> str:
    """The host of a server's address. Raises UserError for what is none."""
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        address = httpx.URL("")
    if address.scheme not in ("http", "https") or not address.host:
        raise UserError(f"{url} is no address of a server: expected such as http://127.0.0.1:8501 or http://[::1]:8501")
    return address.host


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
    for one in encoded:
        if part and (len(part) == ROWS or sum(map(len, part)) + len(one) > BYTES):
            yield part
            part = []
        part.append(one)
    if part:
        yield part
