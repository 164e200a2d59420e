"""Sheets: what stands where, and that right and wrong differ without colours."""

from pathlib import Path

import numpy as np
from PIL import Image

from hicmd_tf.pictures.sheet import FRAME, GAP, LINE, RIGHT, WRONG, Cell, labelled_columns, save_png, sheet

PICTURE = np.full((20, 10, 3), 77, np.uint8)


def test_pictures_stand_in_line_and_their_words_beneath() -> None:
    found = np.asarray(
        sheet([[Cell(lines=["a"]), Cell(PICTURE, ["x", "y"])], [Cell(PICTURE), Cell(PICTURE)]], height=40)
    )
    wide, tall = 20 + 2 * FRAME, 40 + 2 * FRAME
    assert found.shape == (3 * GAP + 2 * tall + 2 * LINE, 3 * GAP + 2 * wide, 3)
    left, top = 2 * GAP + wide + FRAME, GAP + FRAME
    assert (found[top : top + 40, left : left + 20] == 77).all()
    below = found[top + 40 + FRAME : top + 40 + FRAME + 2 * LINE, left - FRAME : left + wide]
    assert (below < 128).any()


def test_frames_of_right_and_wrong_differ_in_form_too() -> None:
    right, wrong = (
        np.asarray(sheet([[Cell(PICTURE, frame=colour, ring=ring)]], height=20).convert("L"))[
            GAP : GAP + FRAME, GAP + 5
        ]
        for colour, ring in ((RIGHT, False), (WRONG, True))
    )
    assert len(set(right.tolist())) == 1 and len(set(wrong.tolist())) == 2


def test_large_pictures_are_not_made_smaller() -> None:
    large = np.zeros((300, 100, 3), np.uint8)
    assert sheet([[Cell(large)]], height=160).height == 300 + 2 * FRAME + 2 * GAP


def test_columns_have_their_labels_above(tmp_path: Path) -> None:
    columns = [(name, np.full((2, 160, 80, 3), level, np.uint8)) for name, level in (("input", 50), ("cross", 90))]
    save_png(labelled_columns(columns), tmp_path / "made" / "grid.png")
    found = np.asarray(Image.open(tmp_path / "made" / "grid.png"))
    assert [(found == level).all(-1).sum() for level in (50, 90)] == [2 * 160 * 80] * 2
    assert (found[GAP : GAP + LINE] < 128).any()


def test_a_caption_is_broken_to_the_width_of_the_rows_and_lies_below_them() -> None:
    rows = [[Cell(PICTURE), Cell(PICTURE)]]
    plain, told = sheet(rows, 40), sheet(rows, 40, ["one two three four five six seven", "eight"])
    assert told.width == plain.width and told.height - plain.height > 2 * LINE
    above, below = np.asarray(told)[: plain.height - GAP], np.asarray(told)[plain.height :]
    assert (above == np.asarray(plain)[: plain.height - GAP]).all() and (below < 255).any()
