"""Infrared pictures in colour and visible ones that are grey throughout are reported, and nothing else is."""

from pathlib import Path

import drawn_trees as trees
import numpy as np
import pytest

from hicmd_tf.commands import main as hicmd
from hicmd_tf.config import load
from hicmd_tf.data.datasets import load as load_data
from hicmd_tf.data.usable import COLOURED, GREY, Shade, colour_of, swapped


def test_colour_is_the_spread_of_the_channels() -> None:
    grey = np.full((40, 20, 3), 90, np.uint8)
    assert colour_of(grey) == 0
    tinted = grey + np.array([0, 3, 7], np.uint8)
    assert colour_of(tinted) == 7 and GREY < 7 < COLOURED
    assert colour_of(np.random.default_rng(0).integers(0, 256, (900, 700, 3), np.uint8)) == pytest.approx(127.5, abs=5)


def test_people_are_reported_all_of_whose_pictures_look_like_the_other_modalitys() -> None:
    shades = [
        *(Shade(f"a{n}", 1, "infrared", 50.0) for n in range(3)),
        *(Shade(f"b{n}", 2, "infrared", 50.0 * n) for n in range(3)),  # one of them is grey
        *(Shade(f"c{n}", 1, "visible", 0.5) for n in range(2)),
        Shade("d", 2, "visible", 5.0),
    ]
    assert swapped(shades, "training ") == [
        "all training infrared pictures of 1 of 2 people are in colour (3 pictures), such as a0: look whether they are "
        "infrared at all",
        "all training visible pictures of 1 of 2 people are grey throughout (2 pictures), such as c0: look whether "
        "they are visible at all",
    ]
    assert swapped(shade for shade in shades if shade.person == 2) == []


@pytest.mark.parametrize(
    ("modality", "grey", "said"),
    [
        ("infrared", False, "all {}infrared pictures of 1 of 2 people are in colour (2 pictures), such as "),
        ("visible", True, "all {}visible pictures of 1 of 2 people are grey throughout (2 pictures), such as "),
    ],
)
def test_check_and_training_warn(
    modality: str, grey: bool, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = trees.own(tmp_path / "own")
    for number in (1, 2):
        trees.picture(own / f"test/11/{modality}/cam{number}_{number}.png", 70 + number, grey=grey)
    hicmd(["check", "folder", str(own)])
    name = f"test/11/{modality}/cam1_1.png"
    assert f"warning: {said.format('').replace('of 2', 'of 4')}{name}" in capsys.readouterr().err
    settings = {"data.name": "folder", "data.source": str(own), "data.directory": str(tmp_path / "data")}
    data = load_data(load("tiny", settings).data)
    assert len(data.train) == 8
    with pytest.warns(UserWarning) as warned:
        assert len(data.test) == 8
    assert [str(one.message).startswith(said.format("test ") + name) for one in warned] == [True]
