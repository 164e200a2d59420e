"""The one decoder of pictures: Pillow, for everything but the graphs that are exported, which do the same
(`pictures.graph`).

* What a file is says its content, not its name.
* Pictures are turned upright as EXIF or XMP says, in every format. Alpha is left out, inks (CMYK) are made RGB,
  palettes looked up, grey ones get three equal channels.
* Of 16 bits per channel of RGB the upper 8 are taken; grey pictures of 16 bits are shown as `data.sixteen_bit` says, or
  refused, and with alpha refused. So are pictures of floats, and files that hold several pictures; further pictures
  after a JPEG are previews, and left out.
"""

import io
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageFile, PngImagePlugin, TiffImagePlugin

from hicmd_tf.errors import UserError
from hicmd_tf.pictures.bounds import LARGEST_PIXELS, BadPictureError, content, head
from hicmd_tf.pictures.sixteen_bit import LARGEST, range_of

Array = np.ndarray[Any, Any]

DEEP = "I;16"  # Pillow's mode of grey with 16 bits
UPRIGHT = 1
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
CUT = "can't be decoded"
PNG_END = b"IEND\xaeB`\x82"
PNG_KIND, DEEP_GREY_ALPHA = slice(24, 26), b"\x10\x04"  # depth and kind of colour, in a PNG's head
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0
FLAT = 10  # grey levels; a picture whose channels all lie within fewer shows next to nothing
FLAT_SHARE = 0.98  # of its pixels
FLAT_SIDE = 256  # pixels; of larger pictures every second, third .. is looked at
NO_RANGE = (
    "expected data.sixteen_bit to say which counts are black and white: set it to LO-HI, such as 29000-31000, or to "
    "LO%-HI%, such as 1%-99%; hicmd check has it as --sixteen-bit"
)

warnings.filterwarnings("ignore", module=r"PIL\.")  # what it says of odd files; ours says what is done about them


def decode(encoded: bytes, sixteen_bit: str = "") -> Array:
    """A file's content -> uint8 (H, W, 3) in its own size, upright. sixteen_bit: as the setting.

    Raises BadPictureError for what is no whole picture, is too large, or has 16 bits and no range.
    """
    picture = upright(encoded)
    if picture.mode == DEEP:
        found = range_of(sixteen_bit)
        if found is None:
            raise BadPictureError("has 16 bits of grey", NO_RANGE)
        return np.repeat(found.shown(np.asarray(picture))[..., None], 3, -1)
    return np.asarray(picture)


def upright(encoded: bytes, most: int = LARGEST_PIXELS) -> Image.Image:
    """A file's content as a picture, turned: RGB, or grey of 16 bits (`DEEP`). most: pixels. Raises BadPictureError."""
    opened = head(encoded, most)
    if isinstance(opened, PngImagePlugin.PngImageFile):
        if PNG_END not in encoded:
            raise BadPictureError(CUT)  # Pillow misses no end
        if encoded[PNG_KIND] == DEEP_GREY_ALPHA:  # of which Pillow has 8 bits
            raise BadPictureError("has 16 bits of grey, and alpha", "expected no alpha: save it without")
    try:
        opened.load()
        turn = TURNS.get(_orientation(opened))
        picture = _plain(opened)
        return picture if turn is None else picture.transpose(turn)
    except (MemoryError, BadPictureError):
        raise
    except Exception as error:  # as of heads
        raise BadPictureError(CUT) from error


def is_flat(pixels: Array) -> bool:
    """Whether a picture, uint8 (H, W, 3), is nearly constant: 98 % of its pixels within 10 grey levels, in every
    channel."""
    step, rest = 1 + max(pixels.shape) // FLAT_SIDE, (1 - FLAT_SHARE) / 2
    low, high = np.quantile(pixels[::step, ::step], [rest, 1 - rest], axis=(0, 1))
    return bool((high - low < FLAT).all())


def opened(file: Path, sixteen_bit: str = "") -> Image.Image:
    """A picture's file decoded, to be drawn. Raises UserError when it is missing, or can't be used."""
    try:
        return Image.fromarray(decode(content(file), sixteen_bit))
    except BadPictureError as error:
        raise UserError(f"{file} {error.told('replace it')}") from error


def as_png(pixels: Array | Image.Image) -> bytes:
    """Pixels, uint8 (H, W, 3), or a picture as a PNG file, quickly."""
    file = io.BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def simple(encoded: bytes, most: int = LARGEST_PIXELS) -> bytes:
    """A file as exported graphs take it: a JPEG as it is, any other as a PNG of the same pixels, upright; grey of 16
    bits stays so. most: pixels. Raises BadPictureError as `decode` does, but for 16 bits."""
    picture = upright(encoded, most)
    return encoded if encoded.startswith(b"\xff\xd8") else as_png(picture)


def _orientation(opened: ImageFile.ImageFile) -> int:
    try:
        return int(opened.getexif().get(ExifTags.Base.Orientation, UPRIGHT))
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error, AttributeError):
        return UPRIGHT  # damaged notes about a whole picture


def _plain(opened: ImageFile.ImageFile) -> Image.Image:
    """Loaded pixels as RGB or, of grey with 16 bits, as `DEEP`."""
    if opened.mode == "F":
        raise BadPictureError("is a picture of floats", "expected whole numbers: save it with 8 or 16 bits per pixel")
    if not opened.mode.startswith("I"):
        picture = opened.convert("RGBA") if opened.mode == "P" else opened  # as Pillow wants transparent palettes
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    counts = np.asarray(opened)
    if isinstance(opened, TiffImagePlugin.TiffImageFile) and opened.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        raise BadPictureError("has 16 bits of grey with white as 0", "expected black as 0: save it so")
    low, high = int(counts.min()), int(counts.max())
    if low < 0 or high > LARGEST:
        raise BadPictureError(f"has counts from {low} to {high}", f"expected 0 to {LARGEST}: save it with 16 bits")
    return Image.fromarray(counts.astype(np.uint16))
