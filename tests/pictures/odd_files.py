"""Files as people have them, each by what is odd about it."""

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from drawn_trees import png
from PIL import Image, PngImagePlugin

SIZES = ((37, 91), (16, 32), (3, 5), (90, 40), (301, 133))
ORIENTATION = 0x0112
Picture = Image.Image


def encoded(picture: Picture, form: str, **save: Any) -> bytes:
    """A picture as a file's bytes."""
    file = io.BytesIO()
    picture.save(file, form, **save)
    return file.getvalue()


def drawn(size: tuple[int, int] = (37, 91), noise: bool = False) -> Picture:
    """Colours that run into each other, or noise."""
    random = np.random.default_rng(5)
    if noise:
        return Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), np.uint8))
    return Image.fromarray(random.integers(0, 256, (9, 7, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)


def transparent(size: tuple[int, int] = (37, 91)) -> Picture:
    """With an alpha channel that is 0 here and there."""
    picture = drawn(size).convert("RGBA")
    alpha = np.random.default_rng(6).integers(-100, 256, (size[1], size[0])).clip(0, 255).astype(np.uint8)
    picture.putalpha(Image.fromarray(alpha))
    return picture


def turned(value: int, order: str = ">", kind: int = 3) -> bytes:
    """An EXIF block that says how a picture lies. order: of bytes. kind: of number, 3 short, 4 long."""
    mark = b"MM" if order == ">" else b"II"
    number = struct.pack(order + ("HH" if kind == 3 else "I"), *((value, 0) if kind == 3 else (value,)))
    entries = struct.pack(order + "HHI4s", 0x0110, 2, 2, b"m\0\0\0") + struct.pack(
        order + "HHI4s", ORIENTATION, kind, 1, number
    )
    return b"Exif\0\0" + mark + struct.pack(order + "HIH", 42, 8, 2) + entries + bytes(4)


def xmp(value: int) -> bytes:
    """An XMP packet that says how a picture lies."""
    return f'<x:xmpmeta><rdf:Description tiff:Orientation="{value}"/></x:xmpmeta>'.encode()


def deep_png(channels: int, size: tuple[int, int] = (13, 9)) -> bytes:
    """Noise of 16 bits with 2 (grey and alpha), 3 or 4 channels."""
    counts = np.random.default_rng(7).integers(0, 65536, (size[1], size[0] * channels)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in counts)
    return png(*size, 16, {2: 4, 3: 2, 4: 6}[channels], rows)


def negative_palette() -> Picture:
    """Grey levels whose palette runs the other way."""
    picture = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16), "P")
    picture.putpalette([255 - k // 3 for k in range(768)])
    return picture


def _texts(**texts: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        info.add_text(key.replace("_", " "), value, zip=True)
    return info


def _itxt(value: int, compressed: bool) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp(value).decode(), zip=compressed)
    return info


def _files() -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for size in SIZES:
        of = f"{size[0]} x {size[1]}"
        for subsampling in (0, 1, 2):
            for progressive in (False, True):
                save: dict[str, Any] = {"subsampling": subsampling, "progressive": progressive, "quality": 60}
                found[f"JPEG {of} {save}"] = encoded(drawn(size), "JPEG", **save)
        found[f"JPEG, noise {of}"] = encoded(drawn(size, noise=True), "JPEG", quality=95)
        found[f"JPEG, grey {of}"] = encoded(drawn(size).convert("L"), "JPEG")
        found[f"JPEG, inks {of}"] = encoded(drawn(size).convert("CMYK"), "JPEG")
        found[f"JPEG, RGB inside {of}"] = encoded(drawn(size), "JPEG", keep_rgb=True)
    modes: dict[str, Callable[[], Picture]] = {
        "RGB": drawn,
        "grey": lambda: drawn().convert("L"),
        "grey and alpha": lambda: transparent().convert("LA"),
        "alpha": transparent,
        "black and white": lambda: drawn().convert("1"),
        "palette": lambda: drawn().quantize(200),
        "small palette": lambda: drawn().quantize(7),
        "negative palette": negative_palette,
    }
    takes = {
        "PNG": list(modes),
        "BMP": ["RGB", "grey", "alpha", "black and white", "palette", "negative palette"],
        "WEBP": ["RGB", "grey", "alpha"],
        "TIFF": list(modes),
        "GIF": ["RGB", "grey", "alpha", "negative palette"],
    }
    for form, names in takes.items():
        found |= {f"{form}, {name}": encoded(modes[name](), form) for name in names}
    for compression in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
        found[f"TIFF, {compression}"] = encoded(drawn(), "TIFF", compression=compression)
    found["TIFF, inks"] = encoded(drawn().convert("CMYK"), "TIFF")
    found["WEBP, without loss"] = encoded(drawn(), "WEBP", lossless=True)
    found["WEBP, alpha without loss"] = encoded(transparent(), "WEBP", lossless=True)
    found["PNG, transparent entry"] = encoded(drawn().quantize(7), "PNG", transparency=3)
    found["PNG, transparent entries"] = encoded(drawn().quantize(7), "PNG", transparency=bytes(range(0, 210, 30)))
    found["PNG, transparent grey"] = encoded(drawn().convert("L"), "PNG", transparency=3)
    found["PNG, interlaced by hand"] = png(3, 2, 8, 2, b"\0" + bytes(range(9)) + b"\1" + bytes(range(9)))
    found["PNG, one pixel"] = encoded(drawn((1, 1)), "PNG")
    found["PNG, 4 grey levels"] = png(5, 2, 2, 0, b"\0\x1b\xc0\0\xe4\x80")
    found |= {f"PNG, 16 bits, {channels} channels": deep_png(channels) for channels in (3, 4)}
    for value in range(1, 9):
        for order in "<>":
            exif = turned(value, order)
            found |= {f"{form}, turned {value} {order}": encoded(drawn(), form, exif=exif) for form in ("JPEG", "PNG")}
        found[f"WEBP, turned {value}"] = encoded(drawn(), "WEBP", exif=turned(value))
        tag = Image.Exif()
        tag[ORIENTATION] = value
        found[f"TIFF, turned {value}"] = encoded(drawn(), "TIFF", exif=tag)
        found[f"JPEG, turned {value} by XMP"] = encoded(drawn(), "JPEG", xmp=xmp(value))
        found[f"PNG, turned {value} by XMP"] = encoded(drawn(), "PNG", pnginfo=_itxt(value, compressed=False))
    found["JPEG, turned by a long number"] = encoded(drawn(), "JPEG", exif=turned(6, ">", 4))
    found["JPEG, turned by an impossible number"] = encoded(drawn(), "JPEG", exif=turned(9))
    found["JPEG, turned by EXIF and otherwise by XMP"] = encoded(drawn(), "JPEG", exif=turned(6), xmp=xmp(3))
    found["JPEG, upright by EXIF and turned by XMP"] = encoded(drawn(), "JPEG", exif=turned(1), xmp=xmp(3))
    found["JPEG, comment"] = encoded(drawn(), "JPEG", exif=turned(6), comment=b"before or after")
    found["PNG, turned by compressed XMP"] = encoded(drawn(), "PNG", pnginfo=_itxt(6, compressed=True))
    hexadecimal = f"\nexif\n{len(turned(6)):8}\n{turned(6).hex()}\n"
    found["PNG, turned by text"] = encoded(drawn(), "PNG", pnginfo=_texts(Raw_profile_type_exif=hexadecimal))
    return found


ODD_FILES = _files()
"""Whole pictures of one frame and 8 bits, or with the upper 8 of 16."""


def _deep_files() -> dict[str, bytes]:
    counts = np.random.default_rng(8).integers(29000, 31000, (128, 64))
    counts[:3] = [[0], [65535], [30000]]
    return {f"{form}, {name}": encoded(Image.fromarray(counts.astype(dtype)), form, **save)
             for form, name, dtype, save in (
                 ("PNG", "little", "<u2", {}),
                 ("PNG", "big", ">u2", {}),
                 ("TIFF", "little", "<u2", {}),
                 ("TIFF", "big", ">u2", {}),
                 ("TIFF", "32 bits", "<i4", {}),
                 ("TIFF", "compressed", "<u2", {"compression": "tiff_lzw"}),
             )}  # fmt: skip


DEEP_FILES = _deep_files()
"""Grey pictures of 16 bits, all of the same counts."""
DEEP_COUNTS = np.asarray(Image.open(io.BytesIO(DEEP_FILES["PNG, little"])))


def _several() -> dict[str, bytes]:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "green")]
    save: dict[str, Any] = {"save_all": True, "append_images": frames[1:]}
    return {form: encoded(frames[0], form, **save) for form in ("GIF", "WEBP", "TIFF", "PNG")}


SEVERAL = _several()
"""Three frames or pages."""
