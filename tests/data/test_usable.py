"""What is done about pictures that can't be used: stop before anything begins, or skip and count them."""

import dataclasses
from pathlib import Path

import drawn_trees as trees
import numpy as np
import pytest
from odd_files import DEEP_FILES, drawn, encoded
from PIL import Image

from hicmd_tf.commands import main as hicmd
from hicmd_tf.config import load as load_config
from hicmd_tf.data.datasets import load
from hicmd_tf.data.samples import DataSplits, Samples
from hicmd_tf.data.usable import COLOURED, GREY, colour_of, swapped, usable
from hicmd_tf.errors import UserError

PICTURE = encoded(drawn(), "PNG")


def samples(contents: list[bytes], identities: list[int] | None = None, infrared: list[bool] | None = None) -> Samples:
    zeros = np.zeros(len(contents), np.int64)
    return Samples(
        contents,
        [f"picture_{i}" for i in range(len(contents))],
        zeros if identities is None else np.array(identities, np.int64),
        zeros.astype(bool) if infrared is None else np.array(infrared, bool),
        zeros,
    )


def test_the_first_unusable_picture_is_named_and_all_are_counted(capfd) -> None:
    contents = [PICTURE] * 300
    assert usable(samples(contents), "stop").names == samples(contents).names
    contents[270], contents[280] = PICTURE[: len(PICTURE) // 2], encoded(drawn(), "TIFF")[:-60]
    with pytest.raises(
        UserError,
        match=r"^training picture picture_270 can't be decoded \(and 1 more can't be used: picture_280\), expected",
    ):
        usable(samples(contents), "stop", "train")
    assert "TIFF" not in "".join(capfd.readouterr())  # libraries say nothing of their own


def test_nearly_constant_pictures_are_warned_of_and_kept() -> None:
    flat = encoded(Image.new("RGB", (8, 8), (200, 20, 20)), "PNG")
    with pytest.warns(UserWarning) as warned:
        assert len(usable(samples([PICTURE, flat, PICTURE, flat, flat, flat]), "stop", "train")) == 6
    (said,) = (str(one.message) for one in warned)
    assert said.startswith(
        "4 of 6 training pictures are nearly constant: picture_1, picture_3, picture_4 and 1 more: look at them"
    )


def test_sixteen_bits_are_refused_or_shown_as_the_setting_says() -> None:
    contents = [PICTURE, *DEEP_FILES.values()]
    with pytest.raises(
        UserError,
        match=r"test picture picture_1 has 16 bits of grey \(and 5 more can't be used: .*6\), expected data\.six",
    ):
        usable(samples(contents), "stop", "test")
    ranged = dataclasses.replace(samples(contents), sixteen_bit="29000-31000")
    assert len(usable(ranged, "stop", "test")) == len(contents)
    with pytest.warns(UserWarning, match="6 of 7 test pictures are nearly constant: .* data.sixteen_bit"):
        usable(dataclasses.replace(ranged, sixteen_bit="0-65535"), "stop", "test")


def test_what_is_skipped_is_warned_of_in_one_line() -> None:
    contents = [b"", PICTURE, b"1", b"2", PICTURE, trees.vast_png(), b"3"]
    with pytest.warns(UserWarning) as warned:
        left = usable(samples(contents), "skip", "test")
    assert left.names == ["picture_1", "picture_4"]
    assert [str(one.message) for one in warned] == [
        "5 of 7 test pictures can't be used and are skipped: picture_0 can't be decoded, picture_2 can't be decoded, "
        "picture_3 can't be decoded and 2 more"
    ]


def test_a_split_is_checked_when_it_is_first_asked_for_and_only_then() -> None:
    asked = []

    def check(part: Samples, split: str) -> Samples:
        asked.append(split)
        return part.select(np.arange(1, len(part)))

    data = DataSplits(samples([PICTURE] * 3), samples([]), samples([PICTURE] * 2), check)
    assert not asked and not data.skipped and len(data.unchecked["train"]) == 3
    assert len(data.train) == 2 and data.train is data.train and asked == ["train"]
    assert len(data.test) == 1 and data.skipped == {"train": 1, "test": 1}


def test_colour_is_the_spread_of_the_channels() -> None:
    grey = np.full((40, 20, 3), 90, np.uint8)
    assert colour_of(grey) == 0
    tinted = grey + np.array([0, 3, 7], np.uint8)
    assert colour_of(tinted) == 7 and GREY < 7 < COLOURED
    assert colour_of(np.random.default_rng(0).integers(0, 256, (900, 700, 3), np.uint8)) == pytest.approx(127.5, abs=5)


def test_people_are_reported_all_of_whose_pictures_look_like_the_other_modalitys() -> None:
    rows = [
        *[(1, True, 50.0)] * 3,
        *((2, True, colour) for colour in (0.0, 50.0, np.nan)),  # one of them is grey
        *[(1, False, 0.5)] * 2,
        (2, False, 5.0),
    ]
    identities, infrared, colours = map(list, zip(*rows, strict=True))
    found = samples([b""] * len(rows), identities, infrared)
    assert list(swapped(found, np.array(colours), "training ")) == [
        "all training visible pictures of 1 of 2 people are grey throughout (2 pictures), such as picture_6: look "
        "whether they are visible at all",
        "all training infrared pictures of 1 of 2 people are in colour (3 pictures), such as picture_0: look whether "
        "they are infrared at all",
    ]
    second = found.identities == 2
    assert not list(swapped(found.select(second), np.array(colours)[second]))


def test_check_and_training_warn(tmp_path: Path) -> None:
    own = trees.own(tmp_path / "own")
    for number in (1, 2):
        trees.picture(own / f"test/11/infrared/cam{number}_{number}.png", 70 + number)
    said = "all {}infrared pictures of 1 of {} people are in colour (2 pictures), such as test/11/infrared/cam1_1.png"
    with pytest.warns(UserWarning) as warned:
        hicmd(["check", "folder", str(own)])
    assert any(str(one.message).startswith(said.format("", 4)) for one in warned)
    settings = {"data.name": "folder", "data.source": str(own), "data.directory": str(tmp_path / "data")}
    data = load(load_config("tiny", settings).data)
    assert len(data.train) == 8
    with pytest.warns(UserWarning) as warned:
        assert len(data.test) == 8
    assert [str(one.message).startswith(said.format("test ", 2)) for one in warned] == [True]
