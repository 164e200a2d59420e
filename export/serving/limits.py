"""How much one request may ask for; looked at before anything is decoded (imports no TensorFlow)."""

import io
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.serving.failures import Failure, Kind

# How files begin that a graph can decode, and whose size can be read; and those whose size can't, by Pillow.
PICTURES = (b"\xff\xd8", b"\x89PNG", b"BM", b"GIF8", b"RIFF")
UNSIZED = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")


@dataclass(frozen=True)
class Limits:
    """body: bytes of a request. rows: pictures of a request. pixels: of an encoded picture. seconds: for an answer."""

    body: int = 64 << 20
    rows: int = 256
    pixels: int = 25_000_000
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
        if not content.startswith(PICTURES + UNSIZED):
            return  # another kind of text, or a file that the graph will refuse
        size = None if content.startswith(UNSIZED) else _size(content)
        if size is None:
            raise Failure(
                Kind.INVALID, f"{name}[{row}] does not tell its size, expected a whole JPEG, PNG, BMP, GIF or WebP file"
            )
        width, height = size
        if width * height > self.pixels:
            raise Failure(
                Kind.INVALID,
                f"{name}[{row}] is a picture of {width} x {height} pixels, expected at most {self.pixels}: send a "
                f"smaller one",
            )


def _size(content: bytes) -> tuple[int, int] | None:
    """Width and height by the file's head; None where it tells none."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(content)).size
    except Image.DecompressionBombError:
        return 1 << 20, 1 << 20
    except (OSError, ValueError, SyntaxError):
        return None
