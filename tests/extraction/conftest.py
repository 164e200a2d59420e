"""Pictures some of which can't be used."""

from pathlib import Path

import drawn_trees as trees
import pytest
from mean_colours import Means


@pytest.fixture
def means() -> Means:
    return Means()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three people with two pictures in either modality, two sizes, and a cut, a vast and a wrong file."""
    folder = tmp_path / "pictures"
    for number in range(12):
        modality = ("visible", "infrared")[number % 2]
        file = folder / f"p{number // 4}" / modality / f"cam{number % 2 + 1}_{number:02}.png"
        trees.picture(file, number, size=((20, 12), (31, 17))[number % 3 == 0])
    cut, vast, wrong = (folder / f"p0/visible/cam1_{name}" for name in ("cut.png", "vast.png", "wrong.jpg"))
    cut.write_bytes((folder / "p0/visible/cam1_00.png").read_bytes()[:-30])
    vast.write_bytes(trees.vast_png())
    wrong.write_text("no picture")
    return folder
