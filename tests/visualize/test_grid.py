"""Picture grids: what stands where."""

import numpy as np

from hicmd_tf.pictures.grid import GAP, LABEL_HEIGHT, picture_grid, save_png


def test_cells_hold_their_pictures_enlarged_by_a_whole_factor() -> None:
    rng = np.random.default_rng(0)
    columns = [(name, rng.integers(0, 256, (2, 6, 4, 3), dtype=np.uint8)) for name in ("input", "same", "cross")]
    grid = np.asarray(picture_grid(columns, least_width=10))  # 4 pixels need factor 3
    assert grid.shape == (GAP + LABEL_HEIGHT + 2 * (18 + GAP), GAP + 3 * (12 + GAP), 3)
    for column, (_, pictures) in enumerate(columns):
        for row, picture in enumerate(pictures):
            top, left = GAP + LABEL_HEIGHT + row * (18 + GAP), GAP + column * (12 + GAP)
            cell = grid[top : top + 18, left : left + 12]
            np.testing.assert_array_equal(cell, picture.repeat(3, axis=0).repeat(3, axis=1))


def test_every_column_has_its_label() -> None:
    black = np.zeros((1, 8, 80, 3), np.uint8)
    labels = [np.asarray(picture_grid([(text, black)]))[GAP : GAP + LABEL_HEIGHT] for text in ("input", "cross")]
    assert (labels[0] < 128).any() and not np.array_equal(*labels)


def test_a_grid_is_saved_as_png(tmp_path) -> None:
    save_png(picture_grid([("a", np.zeros((1, 8, 8, 3), np.uint8))]), tmp_path / "grids" / "a.png")
    assert (tmp_path / "grids" / "a.png").read_bytes().startswith(b"\x89PNG")
