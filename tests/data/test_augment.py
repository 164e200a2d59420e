"""Random erasing boxes follow method 2.5, item 1."""

import numpy as np
import pytest

from hicmd_tf.data.batches import erasing_boxes

HEIGHT, WIDTH = 64, 32


def boxes(probability: float, count: int = 4000, seed: int = 0) -> np.ndarray:
    return erasing_boxes(np.random.default_rng(seed), count, HEIGHT, WIDTH, probability)


def test_boxes_lie_inside_and_are_smaller_than_the_picture() -> None:
    top, left, height, width = boxes(1.0).T
    assert (height > 0).all() and (height < HEIGHT).all() and (width > 0).all() and (width < WIDTH).all()
    assert (top >= 0).all() and (top + height <= HEIGHT).all() and (left >= 0).all() and (left + width <= WIDTH).all()


def test_corners_reach_every_place_to_the_last() -> None:
    top, left, height, width = boxes(1.0).T
    assert top.min() == 0 and (top + height).max() == HEIGHT
    assert left.min() == 0 and (left + width).max() == WIDTH


def test_area_and_aspect_keep_to_their_ranges() -> None:
    _, _, height, width = boxes(1.0).T.astype(float)
    # sides are rounded: half a pixel either way
    assert ((height - 0.5) * (width - 0.5) <= 0.4 * HEIGHT * WIDTH).all()
    assert ((height + 0.5) * (width + 0.5) >= 0.02 * HEIGHT * WIDTH).all()
    assert ((height - 0.5) / (width + 0.5) <= 1 / 0.3).all() and ((height + 0.5) / (width - 0.5) >= 0.3).all()


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_so_many_pictures_are_erased(probability: float) -> None:
    share = np.mean(boxes(probability)[:, 2] > 0)
    assert abs(share - probability) <= 4 * (probability * (1 - probability) / 4000) ** 0.5  # four standard errors


def test_boxes_follow_the_generator() -> None:
    np.testing.assert_array_equal(boxes(0.5, 50, 3), boxes(0.5, 50, 3))
    assert not np.array_equal(boxes(0.5, 50, 3), boxes(0.5, 50, 4))


def test_a_picture_that_no_box_fits_stays_whole() -> None:
    _, _, height, width = erasing_boxes(np.random.default_rng(0), 20, 1, 1, 1.0).T
    assert not (height * width).any()
