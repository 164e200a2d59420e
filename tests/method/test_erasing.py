"""Random erasing: what a box changes, and that nothing flows back through it."""

from typing import Any

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.method.erasing import erase

Array = np.ndarray[Any, Any]
HEIGHT, WIDTH = 7, 5


@st.composite
def boxes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """top, left, height, width within the picture; height 0 is no box."""
    height, width = draw(st.integers(0, HEIGHT)), draw(st.integers(0, WIDTH))
    return draw(st.integers(0, HEIGHT - height)), draw(st.integers(0, WIDTH - width)), height, width


def draw_images(count: int) -> Array:
    return np.random.default_rng(0).uniform(1, 2, (count, HEIGHT, WIDTH, 3)).astype("float32")


@settings(deadline=None, max_examples=40)
@given(st.lists(boxes(), min_size=1, max_size=3))
def test_only_the_box_of_each_picture_becomes_zero(drawn: list[tuple[int, int, int, int]]) -> None:
    images = draw_images(len(drawn))
    expected = images.copy()
    for image, (top, left, height, width) in zip(expected, drawn, strict=True):
        image[top : top + height, left : left + width] = 0
    np.testing.assert_array_equal(erase(tf.constant(images), tf.constant(drawn, "int32")), expected)


def test_no_height_leaves_the_picture() -> None:
    images = draw_images(2)
    np.testing.assert_array_equal(erase(images, tf.constant([[0, 0, 0, 0], [2, 1, 0, 3]], "int32")), images)


def test_the_erased_part_gets_no_gradient() -> None:
    images = tf.constant(draw_images(1))
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(tf.square(erase(images, tf.constant([[1, 2, 3, 2]], "int32"))))
    expected = 2 * images.numpy()
    expected[:, 1:4, 2:4] = 0
    np.testing.assert_allclose(tape.gradient(total, images), expected)


def test_unknown_sizes_work_in_a_graph() -> None:
    images, box = draw_images(2), np.array([[1, 1, 2, 2], [0, 0, 1, 5]], "int32")
    signature = [tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((None, 4), "int32")]
    np.testing.assert_array_equal(tf.function(erase, input_signature=signature)(images, box), erase(images, box))
