"""Photographs that lie on their side are turned upright, as Pillow turns them."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from hicmd_tf.data.orientation import orientation
from hicmd_tf.data.pictures import decode_any

CORNERS = np.zeros((24, 40, 3), np.uint8)
CORNERS[:12, :20], CORNERS[:12, 20:], CORNERS[12:, :20] = (250, 20, 20), (20, 250, 20), (20, 20, 250)


def jpeg(**save: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(CORNERS).save(file, "JPEG", quality=95, subsampling=0, **save)
    return file.getvalue()


def exif(value: int, order: str = "<") -> bytes:
    """A block with three entries, the orientation in the middle."""
    entries = [(0x010F, 2, 4, b"abc\0"), (0x0112, 3, 1, struct.pack(f"{order}HH", value, 0)), (0x0128, 3, 1, bytes(4))]
    packed = b"".join(struct.pack(f"{order}HHI", tag, kind, count) + raw for tag, kind, count, raw in entries)
    start = b"II*\0" if order == "<" else b"MM\0*"
    return b"Exif\0\0" + start + struct.pack(f"{order}IH", 8, len(entries)) + packed + struct.pack(f"{order}I", 0)


@pytest.mark.parametrize("order", ["<", ">"], ids=["little endian", "big endian"])
@pytest.mark.parametrize("value", range(10))
def test_a_jpeg_is_turned_as_pillow_turns_it(value: int, order: str) -> None:
    encoded = jpeg(exif=exif(value, order))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(encoded))))
    turned = decode_any(tf.constant(encoded)).numpy()
    assert turned.shape == expected.shape
    assert np.abs(turned.astype(int) - expected).max() <= 16  # the decoders round differently; corners differ by 230
    assert (value in range(5, 9)) == (turned.shape[:2] == (40, 24))


def test_the_block_is_found_behind_other_segments() -> None:
    encoded = jpeg(exif=exif(6), comment=b"before or after")
    thumbnails = b"\xff\xed" + struct.pack(">H", 5002) + b"\xff\xe1Exif\0\0" * 625
    assert int(orientation(tf.constant(encoded[:2] + thumbnails + encoded[2:]))) == 6


def test_other_files_stay_as_they_are() -> None:
    for encoded in (jpeg(), tf.io.encode_png(CORNERS).numpy()):
        assert decode_any(tf.constant(encoded)).shape == CORNERS.shape
        assert int(orientation(tf.constant(encoded))) == 1


@given(st.integers(0, 120), st.integers(0, 255))
def test_a_damaged_block_never_hangs_or_breaks(place: int, value: int) -> None:
    encoded = bytearray(jpeg(exif=exif(6)))
    encoded[2 + place] = value
    assert 1 <= int(orientation(tf.constant(bytes(encoded)))) <= 8
    assert 1 <= int(orientation(tf.constant(bytes(encoded[: 2 + place])))) <= 8
