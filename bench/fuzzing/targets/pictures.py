"""Picture files: cut, flipped, of other kinds than their names say, with heads that promise too much."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from bench.fuzzing.cases import Input, Material, Target
from bench.fuzzing.damage import blows, broken, told
from bench.fuzzing.places import LINKED, PLACES, story
from bench.fuzzing.whole import copied

KIND = "picture"
CHOSEN = "test/11/visible/cam1_1.png"  # of the folder data set; the broken picture takes its place


def _saved(form: str, mode: str = "RGB", **options: Any) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 12, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, form, **options)
    return file.getvalue()


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _png(width: int, height: int, depth: int = 8, colour: int = 2, pixels: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(pixels)) + _chunk(b"IEND", b"")


def _bmp(width: int, height: int, bits: int = 24) -> bytes:
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 1000, 0, 0, 54, 40, width, height, 1, bits, 0, 0, 0, 0, 0, 0)


def _jpeg_of_size(width: int, height: int) -> bytes:
    whole = _saved("JPEG")
    at = whole.index(b"\xff\xc0") + 5
    return whole[:at] + struct.pack(">HH", height, width) + whole[at + 4 :]


def _exif(content: bytes) -> bytes:
    whole = _saved("JPEG")
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 8) + b"Exif\0\0" + content + whole[2:]


BASES = {"PNG": _saved("PNG"), "JPEG": _saved("JPEG"), "BMP": _saved("BMP"), "GIF": _saved("GIF", "P")}
FILES: dict[str, bytes] = {
    "no bytes": b"",
    "zeros": bytes(1000),
    "a text": b"no picture\n",
    "an SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "a TIFF": _saved("TIFF"),
    "a WebP": _saved("WEBP"),
    "a PPM": _saved("PPM"),
    "an ICO": _saved("ICO"),
    "only a PNG's signature": b"\x89PNG\r\n\x1a\n",
    "only a JPEG's signature": b"\xff\xd8\xff",
    "only a BMP's signature": b"BM",
    "a PNG of 60000 x 60000": _png(60_000, 60_000),
    "a PNG of 2^31 - 1 pixels in a row": _png(2**31 - 1, 2**31 - 1),
    "a PNG of 0 x 0": _png(0, 0),
    "a PNG of 9000 x 9000 zeros": _png(9000, 9000, pixels=bytes(9000 * 27001)),
    "a PNG of 16 bits without pixels": _png(8, 8, 16),
    "a PNG of 3 bits": _png(8, 8, 3),
    "a PNG of colour type 9": _png(8, 8, 8, 9),
    "a JPEG of 65535 x 65535": _jpeg_of_size(65_535, 65_535),
    "a JPEG of 0 x 0": _jpeg_of_size(0, 0),
    "a BMP of 60000 x 60000": _bmp(60_000, 60_000),
    "a BMP of 0 x 0": _bmp(0, 0),
    "a BMP of -2^31 rows": _bmp(8, -(2**31)),
    "a BMP of negative width": _bmp(-8, 8),
    "a BMP of 7 bits": _bmp(8, 8, 7),
    "a GIF of many pictures": _saved("GIF", "P", save_all=True, append_images=[Image.new("P", (12, 20))] * 3),
    "a PNG of many pictures": _saved("PNG", save_all=True, append_images=[Image.new("RGB", (12, 20))] * 3),
    "a JPEG in CMYK": _saved("JPEG", "CMYK"),
    "a JPEG with an endless EXIF": _exif(b"MM\0*\xff\xff\xff\xff"),
    "a JPEG with an EXIF in a circle": _exif(
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\xff\x09\0\0\0\x08\0\0\0"
    ),
    "a JPEG with no EXIF behind its mark": _exif(b""),
    "a JPEG turned by 9": _exif(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0\0\0\0\0"),
}
Use = Callable[[Material, Path, bytes], list[Any]]


def _tree(material: Material, folder: Path, content: bytes) -> Path:
    tree = copied(material.trees["folder"], folder / "tree")
    (tree / CHOSEN).write_bytes(content)
    return tree


def _alone(folder: Path, content: bytes) -> Path:
    (folder / "broken.png").write_bytes(content)
    return folder / "broken.png"


def _fit(material: Material, folder: Path, content: bytes) -> list[Any]:
    tree = _tree(material, folder, content)
    data = ["--data.name", "folder", "--data.source", tree, "--data.directory", folder.parent / "prepared"]
    return ["--config", material.run / "config.yaml", "--run", folder / "new", *data, "--batch.negatives", "0"]


USES: dict[str, Use] = {
    "hicmd_tf.explore, picture": lambda m, f, content: [_alone(f, content)],
    "hicmd_tf.extract": lambda m, f, content: [
        "--run", m.run, "--images", _tree(m, f, content), "--out", f / "out.npz"
    ],
    "hicmd_tf.search": lambda m, f, content: [
        "query", "--index", m.gallery, "--run", m.run, "--picture", _alone(f, content), "--modality", "visible"
    ],
    "hicmd_tf.data.check": lambda m, f, content: ["folder", _tree(m, f, content)],
    "hicmd_tf.evaluate": lambda m, f, content: [
        "--run", m.run, "--data", "folder", "--source", _tree(m, f, content), "--out", f / "out"
    ],
    "hicmd_tf.fit": _fit,
}  # fmt: skip
SHARES = {"hicmd_tf.explore, picture": 4.0, "hicmd_tf.data.check": 2.0, "hicmd_tf.fit": 0.5, "hicmd_tf.evaluate": 0.5}


def _input(what: str, content: bytes, entry: str) -> Input:
    return Input(what, lambda m, f: [str(word) for word in USES[entry](m, f, content)])


def _link(place: str) -> Input:
    """A picture of a data set that leads to what is no picture."""

    def build(material: Material, folder: Path) -> list[str]:
        words = USES["hicmd_tf.data.check"](material, folder, b"")
        (folder / "tree" / CHOSEN).unlink()
        (folder / "tree" / CHOSEN).symlink_to(PLACES[place](folder))
        return [str(word) for word in words]

    return Input(story(place), build)


def targets() -> list[Target]:
    """All heads by hand for the explorer's upload and data.check, which decode alike."""
    whole = st.sampled_from([*BASES])
    found = []
    for entry in USES:

        def made(form: str, damages: Any, entry: str = entry) -> Input:
            return _input(f"{form}: {told(damages)}", broken(BASES[form], damages), entry)

        def listed(name: str, entry: str = entry) -> Input:
            return _input(name, FILES[name], entry)

        by_hand = (
            [listed(name) for name in FILES] if entry in ("hicmd_tf.explore, picture", "hicmd_tf.data.check") else []
        )
        if entry == "hicmd_tf.data.check":
            by_hand += [_link(place) for place in LINKED]
        drawn = st.one_of(
            st.builds(made, whole, blows("cut", "flip", "drop", "zeros", "replace")),
            st.builds(listed, st.sampled_from([*FILES])),
        )
        found.append(Target(entry, KIND, SHARES.get(entry, 1.0), drawn, by_hand))
    return found
