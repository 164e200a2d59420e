"""Every odd file has Pillow's pixels wherever a picture is taken, or is refused there in one line."""

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_files import DEEP_COUNTS, DEEP_FILES, ODD_FILES, SEVERAL, deep_png, drawn, encoded, turned
from PIL import Image, ImageOps

from hicmd_tf.data.batches import evaluation_batches
from hicmd_tf.data.pictures import fitted, normalise
from hicmd_tf.data.samples import Samples
from hicmd_tf.pictures import graph
from hicmd_tf.pictures.bounds import BadPictureError
from hicmd_tf.pictures.decode import decode, opened, simple
from hicmd_tf.pictures.resizing import resize
from hicmd_tf.pictures.sixteen_bit import is_setting, range_of

HEIGHT, WIDTH = 32, 16
SETTINGS = ["29000-31000", "0-65535", "1%-99%", "0%-100%", "0.125%-99.9%"]


def oracle(content: bytes) -> np.ndarray:
    """Pillow's own pixels."""
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    return np.asarray((picture.convert("RGBA") if picture.mode == "P" else picture).convert("RGB"))


def graph_of(sixteen_bit: str = ""):
    return tf.function(lambda one: graph.decode(one, sixteen_bit), input_signature=[tf.TensorSpec((), tf.string)])


GRAPH = graph_of()


def samples(contents: list[bytes], sixteen_bit: str = "") -> Samples:
    zeros = np.zeros(len(contents), np.int64)
    names = list(map(str, range(len(contents))))
    return Samples(contents, names, zeros, zeros.astype(bool), zeros, sixteen_bit=sixteen_bit)


@pytest.mark.parametrize("name", list(ODD_FILES))
def test_pillow_says_what_every_path_makes_of_a_file(name: str, tmp_path) -> None:
    content = ODD_FILES[name]
    expected = oracle(content)
    np.testing.assert_array_equal(decode(content), expected)
    np.testing.assert_array_equal(oracle(simple(content)), expected)  # what client and local server send on
    np.testing.assert_array_equal(GRAPH(simple(content)), expected)
    (tmp_path / "named.jpg").write_bytes(content)  # whatever it is
    np.testing.assert_array_equal(opened(tmp_path / "named.jpg"), expected)
    try:
        np.testing.assert_array_equal(GRAPH(content), expected)
    except tf.errors.InvalidArgumentError as error:
        assert not name.startswith(("JPEG", "PNG, 16")) and "send it as a plain PNG" in str(error)


def test_batches_and_uploads_show_the_same_resized_once() -> None:
    contents = list(ODD_FILES.values())
    sized = np.stack([resize(oracle(content), HEIGHT, WIDTH).numpy() for content in contents])
    same = [oracle(content).shape[:2] == (HEIGHT, WIDTH) for content in contents]
    sized[same] = [oracle(content) for content, whole in zip(contents, same, strict=True) if whole]
    np.testing.assert_array_equal([fitted(content, HEIGHT, WIDTH) for content in contents], sized)
    (batch,) = evaluation_batches(samples(contents), HEIGHT, WIDTH, len(contents))
    np.testing.assert_array_equal(batch, normalise(sized))


@pytest.mark.parametrize("setting", SETTINGS)
def test_sixteen_bits_are_shown_by_their_range_everywhere(setting: str) -> None:
    of_graph = graph_of(setting)
    counts = DEEP_COUNTS.astype(np.float64)
    ends = (
        np.quantile(
            counts, [float(text.rstrip("%")) / 100 for text in setting.split("-")], method="closest_observation"
        )
        if "%" in setting
        else np.array(setting.split("-"), float)
    )
    expected = np.clip(255 * (counts - ends[0]) / (ends[1] - ends[0]), 0, 255)
    for content in DEEP_FILES.values():
        found = decode(content, setting)
        assert found.shape == (*DEEP_COUNTS.shape, 3) and (found == found[..., :1]).all()
        assert np.abs(found[..., 0] - expected).max() < 1.5  # half a level, and a percentile's neighbour
        np.testing.assert_array_equal(of_graph(simple(content)), found)
        sent = simple(content)
        np.testing.assert_array_equal(of_graph(sent), found)
        if content.startswith(b"\x89PNG"):
            np.testing.assert_array_equal(of_graph(content), found)
        (batch,) = evaluation_batches(samples([content], setting), 128, 64, 1)
        np.testing.assert_array_equal(batch, normalise(found[None]))
    np.testing.assert_array_equal(of_graph(ODD_FILES["PNG, grey"]), oracle(ODD_FILES["PNG, grey"]))  # 8 bits stay


@pytest.mark.parametrize(
    ("content", "said", "remedy"),
    [
        (DEEP_FILES["PNG, little"], "has 16 bits of grey", "data.sixteen_bit to say .*29000-31000"),
        (DEEP_FILES["TIFF, big"], "has 16 bits of grey", "data.sixteen_bit"),
        (deep_png(2), "has 16 bits of grey, and alpha", "save it without"),
        (encoded(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"), "picture of floats", "8 or 16 bits"),
        (encoded(Image.fromarray(DEEP_COUNTS), "TIFF", tiffinfo={262: 0}), "white as 0", "black as 0"),
        (encoded(Image.fromarray(np.full((4, 4), -5, np.int32)), "TIFF"), "counts from -5 to -5", "0 to 65535"),
        *((content, "holds 3 pictures", "one in a file") for content in SEVERAL.values()),
        (b"text", "can't be decoded", "expected a whole PNG, JPEG, BMP, WebP, TIFF or GIF: replace it"),
    ],
)
def test_what_has_no_pixels_to_agree_on_is_refused_everywhere(content: bytes, said: str, remedy: str) -> None:
    with pytest.raises(BadPictureError, match=said) as refused:
        decode(content)
    assert remedy.split(".*")[0] in refused.value.told("replace it") and "\n" not in refused.value.told("")
    with pytest.raises(tf.errors.InvalidArgumentError, match="picture_bytes holds"):
        GRAPH(content)
    if "sixteen_bit" not in remedy:  # the graph knows whether there is a range
        with pytest.raises(BadPictureError, match=said):
            simple(content)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF"])
def test_files_cut_short_are_refused(form: str) -> None:
    whole = encoded(drawn(), form)
    for end in (*range(1, len(whole) - 3, 97), len(whole) - 3):
        with pytest.raises(BadPictureError):
            decode(whole[:end])
        with pytest.raises(tf.errors.InvalidArgumentError):
            GRAPH(whole[:end])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(ODD_FILES)), st.data())
def test_damage_is_refused_or_shows_the_same_to_all(name: str, data: st.DataObject) -> None:
    changed = bytearray(ODD_FILES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, min(len(changed), 400) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(changed)
    try:
        expected = decode(content, "1%-99%")
    except BadPictureError:
        return
    assert expected.dtype == np.uint8 and expected.ndim == 3
    np.testing.assert_array_equal(decode(simple(content), "1%-99%"), expected)


@given(st.binary(max_size=40), st.integers(0, 40), st.sampled_from([turned(6), turned(8, "<")]))
def test_no_notes_lead_the_graph_to_anything_but_an_orientation(octets: bytes, place: int, exif: bytes) -> None:
    noted = bytearray(exif)
    noted[6 + place : 6 + place + len(octets)] = octets
    jpeg = encoded(drawn((5, 3)), "JPEG")
    content = jpeg[:2] + b"\xff\xe1" + (len(noted) + 2).to_bytes(2, "big") + bytes(noted) + jpeg[2:]
    assert GRAPH(content).shape in ((3, 5, 3), (5, 3, 3))


def test_ranges_are_counts_or_percentiles() -> None:
    assert all(map(is_setting, ["", "0-65535", "29000-31000", "1%-99%", "0.5%-99.5%"]))
    for setting in ["5", "5-5", "31000-29000", "0-65536", "-1-5", "1%-99", "1%-101%", "99%-1%", "a-b", "1-2-", "1.5-2"]:
        assert not is_setting(setting)
        with pytest.raises(ValueError, match="is no range, expected LO-HI in counts"):
            range_of(setting)
