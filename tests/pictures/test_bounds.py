"""A picture's size is known by its head, and nothing about a head is believed but numbers."""

import os
import tracemalloc
from pathlib import Path

import drawn_trees as trees
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_files import encoded
from PIL import Image

from hicmd_tf.errors import UserError
from hicmd_tf.pictures import bounds
from hicmd_tf.pictures.bounds import FORMATS, LARGEST_PIXELS, BadPictureError, content, head, size_of
from hicmd_tf.pictures.decode import opened

WHOLE = {form: encoded(Image.new("RGB", (30, 40), "grey"), form) for form in FORMATS}


def flaw_of(encoded: bytes, most: int = LARGEST_PIXELS) -> str | None:
    try:
        head(encoded, most)
    except BadPictureError as error:
        return str(error)
    return None


def test_heads_tell_what_pillow_decodes() -> None:
    assert {form: size_of(whole) for form, whole in WHOLE.items()} == dict.fromkeys(FORMATS, (30, 40))


def test_a_vast_picture_is_named_without_room_for_it() -> None:
    tracemalloc.start()
    try:
        assert flaw_of(trees.vast_png()) == "has 60000 x 60000 pixels, more than 25 million"
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


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


def test_a_picture_to_be_drawn_is_bounded_and_whole(tmp_path: Path) -> None:
    stored = {"a.png": WHOLE["PNG"], "vast.png": trees.vast_png(), "cut.png": WHOLE["PNG"][:-40]}
    for name, whole in stored.items():
        (tmp_path / name).write_bytes(whole)
    os.mkfifo(tmp_path / "pipe.png")
    assert opened(tmp_path / "a.png").size == (30, 40)
    for name, said in (
        ("vast.png", "has 60000 x 60000 pixels"),
        ("cut.png", "can't be decoded"),
        ("no.png", "can't be read"),
        ("pipe.png", "is no file"),  # which is not waited for
    ):
        with pytest.raises(UserError, match=said):
            opened(tmp_path / name)
