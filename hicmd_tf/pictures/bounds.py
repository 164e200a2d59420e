"""Bounds of a picture's size, read from its file before anything is decoded."""

import io
from pathlib import Path

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from hicmd_tf.errors import UserError

LARGEST_PIXELS = 25_000_000
"""Of any picture that is decoded: some 75 MB of memory each, and several are decoded at once."""
LARGEST_BYTES = 128 << 20
"""Of a file that is read: as many pixels take 100 MB in the largest form, a BMP with four channels."""

# Pillow's own readers of heads, by how files begin, whatever they are called; without Image.open, which warns of large
# pictures and gives no size of larger ones.
_READERS: dict[str, tuple[tuple[bytes, ...], type[ImageFile.ImageFile]]] = {
    "PNG": ((b"\x89PNG\r\n\x1a\n",), PngImagePlugin.PngImageFile),
    "JPEG": ((b"\xff\xd8\xff",), JpegImagePlugin.JpegImageFile),
    "BMP": ((b"BM",), BmpImagePlugin.BmpImageFile),
    "WebP": ((b"RIFF",), WebPImagePlugin.WebPImageFile),
    "TIFF": ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TiffImagePlugin.TiffImageFile),
    "GIF": ((b"GIF8",), GifImagePlugin.GifImageFile),
}
FORMATS = tuple(_READERS)
"""Of files that are read, everywhere alike."""
SMALLER = "expected at most so much: save it smaller"
EXPECTED = f"expected a whole {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"


class BadPictureError(Exception):
    """Why a picture can't be used; the message is to be read after its name. remedy: what was expected, and what to
    do, where that is anything but giving a whole picture."""

    def __init__(self, words: str, remedy: str = "") -> None:
        super().__init__(words)
        self.remedy = remedy

    def told(self, advice: str, more: str = "") -> str:
        """The message with what was expected and what to do. more: words between."""
        return f"{self}{more}, {self.remedy or f'{EXPECTED}: {advice}'}"


def content(file: Path) -> bytes:
    """A picture's file as it lies there; of one that is too long only so much that `head` sees it. Raises UserError
    when it can't be read."""
    if file.exists() and not file.is_file():  # to read from a pipe or a device might never end
        raise UserError(f"{file} is no file: expected a picture, name one")
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST_BYTES + 1)
    except OSError as error:
        advice = "copy it again, and let it be read" if file.exists() else "check the path"
        raise UserError(f"{file} can't be read ({error.strerror}): {advice}") from error


def head(encoded: bytes, most: int = LARGEST_PIXELS) -> ImageFile.ImageFile:
    """A picture of which no pixel is decoded yet. Raises BadPictureError for what is none, is too large, or is several
    pictures: a moving one, or a TIFF with pages."""
    if len(encoded) > LARGEST_BYTES:
        raise BadPictureError(f"has more than {LARGEST_BYTES >> 20} MiB", SMALLER)
    for starts, reader in _READERS.values():
        if encoded.startswith(starts):
            try:
                opened = reader(io.BytesIO(encoded))
                count = getattr(opened, "n_frames", 1)
            except MemoryError:
                raise
            except Exception as error:  # Pillow raises of damaged heads whatever its parsers run into
                raise BadPictureError("can't be decoded") from error
            if opened.width * opened.height > most:
                size = f"{opened.width} x {opened.height}"
                raise BadPictureError(f"has {size} pixels, more than {most / 1e6:g} million", SMALLER)
            if count > 1:
                raise BadPictureError(
                    f"holds {count} pictures", "expected one in a file: save the one that is meant by itself"
                )
            return opened
    raise BadPictureError("can't be decoded")


def size_of(encoded: bytes) -> tuple[int, int] | None:
    """Width and height in pixels that a picture's head declares; None where `head` refuses it."""
    try:
        with head(encoded) as opened:
            return opened.size
    except BadPictureError:
        return None
