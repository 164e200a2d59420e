"""Folders of pictures on their way into a gallery, some of which can't be used."""

import io
import os
from pathlib import Path
from typing import Any

import drawn_trees as trees
import numpy as np
import pytest
from odd_files import encoded, turned
from PIL import Image

from hicmd_tf.data import labels
from hicmd_tf.data.sources.folder import anything
from hicmd_tf.errors import UserError
from hicmd_tf.pictures.sheet import WRONG, Cell, sheet
from hicmd_tf.search import Gallery
from hicmd_tf.search import draw as module
from hicmd_tf.search.describe import described_folder, described_pictures, fill
from hicmd_tf.search.entries import Entry, Hit


def size(content: bytes) -> np.ndarray:
    """A descriptor by which the files' sizes can be told apart."""
    return np.array([len(content), 1], np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two whole pictures, a vast one and a cut one."""
    for number in range(4):
        trees.picture(tmp_path / "visible" / f"{number}.png", number)
    (tmp_path / "visible/1.png").write_bytes(trees.vast_png())
    (tmp_path / "visible/2.png").write_bytes((tmp_path / "visible/2.png").read_bytes()[:-40])
    return tmp_path


def test_what_is_skipped_leaves_the_others_with_their_own_names(folder: Path, run_that: Any) -> None:
    with pytest.warns(UserWarning, match="^2 of 4 pictures can't be used and are skipped: visible/1.png has 60000 x 6"):
        (part,) = described_folder(run_that(size, "skip"), folder, anything(folder, None))
    assert [Path(entry.path).name for entry in part.entries] == ["0.png", "3.png"]
    assert part.descriptors[:, 0].tolist() == [Path(entry.path).stat().st_size for entry in part.entries]


def described(run: Any, folder: Path, gallery: Gallery, modality: Any = None, **options: Any) -> tuple[int, int]:
    """How many pictures a gallery wrote of a folder, and how many were already there."""
    parts = described_folder(run, folder, anything(folder, modality), held=gallery.held, **options)
    done = fill(gallery, parts, 0)
    return done.added + done.replaced, done.already


def test_a_picture_is_one_however_it_is_reached(tmp_path: Path, run_that: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run, home = run_that(size), tmp_path / "home"
    for number in range(3):
        trees.picture(home / "m" / "visible" / f"{number}.png", number)
    (tmp_path / "link").symlink_to("home")
    (home / "m" / "visible" / "again.png").symlink_to("0.png")
    gallery = Gallery.create(tmp_path / "g")
    assert described(run, home / "m", gallery) == (3, 1)  # the link to a picture is that picture
    monkeypatch.chdir(home)
    for spelt in ("m", "./m/", "../link/m", "m/../m", str(tmp_path / "link" / "m"), "m/visible"):
        modality = "visible" if spelt == "m/visible" else None
        assert described(run, Path(spelt), gallery, modality) == (0, 4), spelt
    os.utime(home / "m" / "visible" / "1.png", (0, 0))
    assert described(run, home / "m", gallery) == (0, 4)  # touched, it is the same
    assert gallery.info().rows == 3


def test_what_has_changed_is_described_anew(tmp_path: Path, run_that: Any) -> None:
    run = run_that(size)
    folder, gallery = tmp_path / "p", Gallery.create(tmp_path / "g")
    for number in range(3):
        trees.picture(folder / "visible" / "anna" / f"cam1_{number}.png", number)
    assert described(run, folder, gallery) == (3, 0)
    trees.picture(folder / "visible" / "anna" / "cam1_0.png", 99, size=(30, 30))
    assert described(run, folder, gallery) == (1, 2)
    assert described(run, folder / "visible" / "anna", gallery, "infrared") == (3, 0)  # another encoder
    assert described(run, folder / "visible" / "anna", gallery, "infrared", time=5.0) == (3, 0)
    assert described(run, folder / "visible" / "anna", gallery, "infrared", time=5.0) == (0, 3)
    assert gallery.info().rows == 3
    assert described(run, folder, gallery) == (3, 0)
    (kept,) = {entry.who for entry in gallery.held([str(folder / "visible/anna/cam1_1.png")]).values()}
    assert kept == "anna"


def test_by_default_nothing_is_skipped_and_a_query_never_is(folder: Path, run_that: Any) -> None:
    with pytest.raises(
        UserError,
        match=r"^picture visible/1.png has 60000 x .* \(and 1 more can't be used: visible/2.png\), expected",
    ):
        list(described_folder(run_that(size, "stop"), folder, anything(folder, None)))
    with pytest.raises(UserError, match=r"2\.png can't be decoded, expected a whole PNG, .*: replace it or"):
        described_pictures(run_that(size, "skip"), [folder / "visible/0.png", folder / "visible/2.png"], "visible")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[list[Cell]]:
    """The cells of what is drawn."""
    rows: list[list[Cell]] = []
    monkeypatch.setattr(module, "sheet", lambda cells, *how: rows.extend(cells) or sheet(cells, *how))
    return rows


def test_what_can_not_be_drawn_is_a_grey_cell(folder: Path, tmp_path: Path, drawn: list[list[Cell]]) -> None:
    def entry(path: Path, identity: int = 1) -> Entry:
        return Entry(str(path), identity, 1, "visible", 0.0, person="anna" if identity == labels.number("anna") else "")

    names = ["0.png", "1.png", "2.png", "none.png"]
    found = [Hit(0.5, entry(folder / "visible" / name, labels.number("anna"))) for name in names]
    module.draw(tmp_path / "drawn.png", [[entry(folder / "visible/3.png")]], [found])
    _, _, *cells = drawn[0]
    assert [cell.lines[-1] == "missing" for cell in cells] == [False, True, True, True]
    assert (cells[1].picture == module.MISSING).all()
    assert cells[0].lines == ["1: 0.500", "id anna", "visible, cam 1"] and cells[0].frame == WRONG
    assert Image.open(io.BytesIO((tmp_path / "drawn.png").read_bytes())).size > (500, 200)


def test_odd_pictures_are_drawn_upright_with_their_counts_spread(tmp_path: Path, drawn: list[list[Cell]]) -> None:
    levels = np.full((192, 96), 29000, np.uint16)
    levels[:96] = 31000
    half = np.where(levels[..., None] > 30000, 255, 0).astype(np.uint8).repeat(3, -1)
    (tmp_path / "deep.tif").write_bytes(encoded(Image.fromarray(levels), "TIFF"))
    (tmp_path / "on_its_head.png").write_bytes(encoded(Image.fromarray(half[::-1]), "PNG", exif=turned(4)))
    names = ("deep.tif", "on_its_head.png")
    query, hit = (Entry(str(tmp_path / name), 1, 1, "visible", 0.0) for name in names)
    module.draw(tmp_path / "drawn.png", [[query]], [[Hit(0.5, hit)]])
    for cell in (drawn[0][0], drawn[0][2]):
        assert (cell.picture[20] == 255).all() and (cell.picture[170] == 0).all()
