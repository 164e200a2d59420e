"""Files as people have them: odd sizes, grey, transparent, printers' inks, lying on their side."""

import io

import numpy as np
from PIL import Image


def odd_pictures() -> dict[str, bytes]:
    """Encoded pictures by what is odd about them."""
    random = np.random.default_rng(5)
    smooth = random.integers(0, 256, (9, 7, 3), np.uint8)

    def drawn(width: int, height: int) -> Image.Image:
        return Image.fromarray(smooth).resize((width, height), Image.Resampling.BICUBIC)

    turned = Image.Exif()
    turned[0x0112] = 6
    return {
        "odd size": encoded(drawn(37, 91), "PNG"),
        "one pixel": encoded(drawn(1, 1), "PNG"),
        "large": encoded(drawn(301, 533), "JPEG"),
        "flat": encoded(drawn(160, 20), "PNG"),
        "exact size": encoded(drawn(16, 32), "PNG"),
        "grey": encoded(drawn(41, 77).convert("L"), "PNG"),
        "grey jpeg": encoded(drawn(41, 77).convert("L"), "JPEG"),
        "transparent": encoded(drawn(53, 61).convert("RGBA"), "PNG"),
        "palette": encoded(drawn(50, 70).convert("P"), "PNG"),
        "inks": encoded(drawn(45, 85).convert("CMYK"), "JPEG"),
        "on its side": encoded(drawn(90, 40), "JPEG", exif=turned),
    }


def encoded(picture: Image.Image, kind: str, **save: object) -> bytes:
    """A picture as a file's bytes."""
    file = io.BytesIO()
    picture.save(file, kind, **save)
    return file.getvalue()
