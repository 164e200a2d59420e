"""How much one request may ask for; looked at before anything is decoded (imports no TensorFlow)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hicmd_tf.export.serving.failures import Failure, Kind
from hicmd_tf.pictures.bounds import LARGEST_PIXELS, BadPictureError
from hicmd_tf.pictures.decode import simple

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]

ENCODED = "_bytes"  # so end the names of inputs that are files


@dataclass(frozen=True)
class Limits:
    """body: bytes of a request. rows: pictures of a request. pixels: of an encoded picture. seconds: for an answer."""

    body: int = 64 << 20
    rows: int = 256
    pixels: int = LARGEST_PIXELS
    seconds: float = 60.0

    def checked(self, inputs: Arrays) -> Arrays:
        """The inputs with encoded pictures as the graph takes them: a JPEG as it is, any other file as a PNG of the
        same pixels. Raises Failure when a request has too many rows, or holds a picture that can't be used."""
        rows = max((len(value) for value in inputs.values() if value.ndim), default=0)
        if rows > self.rows:
            raise Failure(Kind.TOO_LARGE, f"{rows} rows in one request, expected at most {self.rows}: ask in parts")
        return {name: self._simple(name, value) if name.endswith(ENCODED) else value for name, value in inputs.items()}

    def _simple(self, name: str, pictures: Array) -> Array:
        found = np.empty(pictures.shape, object)
        for row, content in enumerate(pictures.ravel()):
            try:
                found.flat[row] = simple(content, self.pixels)
            except BadPictureError as error:
                raise Failure(Kind.INVALID, f"{name}[{row}] {error.told('send another one')}") from error
        return found
