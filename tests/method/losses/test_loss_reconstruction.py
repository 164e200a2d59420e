"""The L1 reconstruction loss against a loop over elements."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.method.losses.reconstruction import l1


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.floats(0.01, 100), st.integers(0, 2**31))
def test_is_the_mean_absolute_difference_over_all_elements(shape, scale, seed):
    rng = np.random.default_rng(seed)
    image, target = scale * rng.normal(size=shape), scale * rng.normal(size=shape)
    total, count = 0.0, 0
    for a, b in zip(image.ravel(), target.ravel(), strict=True):
        total, count = total + abs(a - b), count + 1
    np.testing.assert_allclose(l1(image, target), total / count, rtol=1e-12)
    np.testing.assert_allclose(l1(target, image), total / count, rtol=1e-12)


def test_is_zero_only_between_equal_images():
    image = np.random.default_rng(0).normal(size=(2, 4, 3, 3))
    assert float(l1(image, image)) == 0
    image_with_one_change = image.copy()
    image_with_one_change[1, 2, 0, 1] += 0.72
    np.testing.assert_allclose(l1(image, image_with_one_change), 0.72 / 72, rtol=1e-12)


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 4, 3, 3\) and \(2, 4, 3, 1\)"):
        l1(np.zeros((2, 4, 3, 3)), np.zeros((2, 4, 3, 1)))
    with pytest.raises(ValueError):
        l1(np.zeros((2, 5)), np.zeros(5))


def test_a_graph_of_unknown_sizes_gives_the_eager_value():
    image, target = np.random.default_rng(1).normal(size=(2, 2, 4, 3, 3))
    signature = [tf.TensorSpec((None, None, None, 3), "float64"), tf.TensorSpec((2, 4, 3, 3), "float64")]
    np.testing.assert_allclose(tf.function(l1, input_signature=signature)(image, target), l1(image, target), rtol=1e-15)
