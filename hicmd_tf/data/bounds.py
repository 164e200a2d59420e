"""How large a picture may be, told by its file before anything is decoded (imports no TensorFlow)."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import BmpImagePlugin, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from hicmd_tf.errors import UserError

LARGEST_PIXELS = 25_000_000
"""Of any picture that is decoded: some 75 MB of memory each, and several are decoded at once."""
LARGEST_BYTES = 128 << 20
"""Of a file that is read: as many pixels take 100 MB in the largest form, a BMP with four channels."""

FORMATS = ("PNG", "JPEG", "BMP")
"""What data sets, galleries and uploads hold. A graph decodes two more."""
SERVED = (*FORMATS, "GIF", "WEBP")

# Pillow's own readers of heads, without Image.open: that warns of large pictures, and tells no size of larger ones.
_READERS = {
    "PNG": (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    "JPEG": (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    "BMP": (b"BM", BmpImagePlugin.BmpImageFile),
    "GIF": (b"GIF8", GifImagePlugin.GifImageFile),
    "WEBP": (b"RIFF", WebPImagePlugin.WebPImageFile),
}


def content(file: Path) -> bytes:
    """A picture's file as it lies there; of one that is too long only so much that `flaw_of` sees it. Raises UserError
    when it can't be read."""
    if file.exists() and not file.is_file():  # to read from a pipe or a device might never end
        raise UserError(f"{file} is no file: expected a picture")
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise UserError(f"{file} can't be read ({error.strerror}): copy it again, and let it be read") from error


def size_of(encoded: bytes, formats: Sequence[str] = FORMATS) -> tuple[int, int] | None:
    """Width and height in pixels that a picture's head declares; None where it is of none of the formats, tells none,
    or holds several pictures. No pixel is decoded."""
    for name in formats:
        start, reader = _READERS[name]
        if encoded.startswith(start):
            try:
                with reader(io.BytesIO(encoded)) as head:
                    moving = isinstance(head, GifImagePlugin.GifImageFile) and head.n_frames > 1
                    return None if moving else head.size
            except (OSError, SyntaxError, ValueError, OverflowError, Image.DecompressionBombError):
                return None  # so Pillow speaks of damaged heads, and of frames beyond all bounds
    return None


def flaw_of(encoded: bytes, most: int = LARGEST_PIXELS, formats: Sequence[str] = FORMATS) -> str | None:
    """Why a picture is not to be decoded, to be read behind its name; None where nothing speaks against it."""
    if len(encoded) > LARGEST_BYTES:
        return f"has more than {LARGEST_BYTES >> 20} MiB"
    size = size_of(encoded, formats)
    if size is None:
        return "can't be decoded"
    if size[0] * size[1] > most:
        return f"has {size[0]} x {size[1]} pixels, more than {most / 1e6:g} million"
    return None


def opened(file: Path) -> Image.Image:
    """A picture's file decoded by Pillow, to be drawn. Raises UserError when it is missing, too large or damaged."""
    encoded = content(file)
    flaw = flaw_of(encoded)
    try:
        if flaw is None:
            picture = Image.open(io.BytesIO(encoded), formats=FORMATS)
            picture.load()
            return picture
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{file} can't be decoded ({str(error)[:80]}), expected a whole picture") from error
    raise UserError(f"{file} {flaw}, expected a whole picture")
