"""Sheets: what stands where, and that right and wrong differ without colours."""

import numpy as np

from hicmd_tf.pictures.sheet import FRAME, GAP, LINE, RIGHT, WRONG, Cell, sheet

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
