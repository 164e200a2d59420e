"""A picture's size is known by its head, and nothing about a head is believed but numbers."""

import io
import os
import tracemalloc
from pathlib import Path

import drawn_trees as trees
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hicmd_tf.errors import UserError
from hicmd_tf.pictures import bounds
from hicmd_tf.pictures.bounds import FORMATS, LARGEST_PIXELS, BadPictureError, content, head, size_of
from hicmd_tf.pictures.decode import opened


def encoded(form: str, size: tuple[int, int] = (30, 40), **save) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "grey").save(file, form, **save)
    return file.getvalue()


def flaw_of(encoded: bytes, most: int = LARGEST_PIXELS) -> str | None:
    try:
        head(encoded, most)
    except BadPictureError as error:
        return str(error)
    return None


WHOLE = {form: encoded(form) for form in FORMATS}


@pytest.mark.parametrize("form", FORMATS)
def test_heads_tell_what_pillow_decodes(form: str) -> None:
    for size in ((30, 40), (1, 1), (300, 2)):
        assert size_of(encoded(form, size)) == size


def test_a_vast_picture_is_named_without_room_for_it() -> None:
    tracemalloc.start()
    try:
        assert flaw_of(trees.vast_png()) == "has 60000 x 60000 pixels, more than 25 million"
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", ["BMP", "JPEG"])  # a PNG's head has a checksum
def test_a_head_that_claims_much_is_enough(form: str) -> None:
    whole = WHOLE[form]
    place, length, order = (18, 4, "little") if form == "BMP" else (whole.index(b"\xff\xc0") + 5, 2, "big")
    vast = (50000).to_bytes(length, order)
    assert "has 50000 x 50000 pixels" in str(flaw_of(whole[:place] + 2 * vast + whole[place + 2 * length :]))


def test_the_limit_itself_is_allowed() -> None:
    assert flaw_of(WHOLE["PNG"], most=1200) is None
    assert flaw_of(WHOLE["PNG"], most=1199) == "has 30 x 40 pixels, more than 0.001199 million"
    assert flaw_of(b"no picture") == flaw_of(b"") == flaw_of(WHOLE["PNG"][:20]) == "can't be decoded"


@given(st.sampled_from(FORMATS), st.data())
def test_no_head_leads_to_anything_but_a_size_or_none(form: str, data: st.DataObject) -> None:
    changed = bytearray(WHOLE[form])
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, min(len(changed), 120) - 1))] = data.draw(st.integers(0, 255))
    size = size_of(bytes(changed[: data.draw(st.integers(0, len(changed)))]))
    assert size is None or all(isinstance(side, int) and side >= 0 for side in size)


def test_a_file_is_read_no_further_than_needed(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "long.png").write_bytes(WHOLE["PNG"] + bytes(500))
    monkeypatch.setattr(bounds, "LARGEST_BYTES", 300)
    found = content(tmp_path / "long.png")
    assert len(found) == 301 and flaw_of(found) == "has more than 0 MiB"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UserError, match=r"pipe\.png is no file"):
        content(tmp_path / "pipe.png")
    with pytest.raises(UserError, match="can't be read"):
        content(tmp_path / "none.png")


def test_a_picture_to_be_drawn_is_bounded_and_whole(tmp_path: Path) -> None:
    for name, stored in (("a.png", WHOLE["PNG"]), ("vast.png", trees.vast_png()), ("cut.png", WHOLE["PNG"][:-40])):
        (tmp_path / name).write_bytes(stored)
    assert opened(tmp_path / "a.png").size == (30, 40)
    for name, said in (
        ("vast.png", "has 60000 x 60000 pixels"),
        ("cut.png", "can't be decoded"),
        ("no.png", "be read"),
    ):
        with pytest.raises(UserError, match=said):
            opened(tmp_path / name)
