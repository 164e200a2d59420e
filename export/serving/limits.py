"""How much one request may ask for; looked at before anything is decoded (imports no TensorFlow)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from export.serving.failures import Failure, Kind
from hicmd_tf.data.bounds import LARGEST_PIXELS, SERVED, size_of

# How files begin that a graph can decode; the last two, of JPEG XL, tell no size that Pillow could read.
PICTURES = (b"\xff\xd8", b"\x89PNG", b"BM", b"GIF8", b"RIFF", b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")


@dataclass(frozen=True)
class Limits:
    """body: bytes of a request. rows: pictures of a request. pixels: of an encoded picture. seconds: for an answer."""

    body: int = 64 << 20
    rows: int = 256
    pixels: int = LARGEST_PIXELS
    seconds: float = 60.0

    def check(self, inputs: dict[str, np.ndarray[Any, Any]]) -> None:
        """Raises Failure when a request has too many rows, or a picture too many pixels."""
        rows = max((len(value) for value in inputs.values() if value.ndim), default=0)
        if rows > self.rows:
            raise Failure(Kind.TOO_LARGE, f"{rows} rows in one request, expected at most {self.rows}: ask in parts")
        for name, value in inputs.items():
            if value.dtype.kind == "O":
                for row, content in enumerate(value.ravel()):
                    self._check_picture(name, row, content)

    def _check_picture(self, name: str, row: int, content: bytes) -> None:
        if not content.startswith(PICTURES):
            return  # another kind of text, or a file that the graph will refuse
        size = size_of(content, SERVED)
        if size is None:
            raise Failure(
                Kind.INVALID,
                f"{name}[{row}] does not tell its size, expected a whole JPEG, PNG, BMP, WebP or unmoving GIF file",
            )
        width, height = size
        if width * height > self.pixels:
            raise Failure(
                Kind.INVALID,
                f"{name}[{row}] is a picture of {width} x {height} pixels, expected at most {self.pixels}: send a "
                f"smaller one",
            )
