"""The convolution of a doubled map, against one that doubles, reflects and convolves."""

from typing import Any

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from keras import ops
from numeric import draw, value_and_gradients

from hicmd_tf.method.networks.upsampling import mirrored, upsampled_convolution


def step_by_step(x: Any, kernel: Any, bias: Any) -> Any:
    doubled = ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2)
    return ops.conv(mirrored(doubled, 2, "reflect"), kernel, padding="valid", data_format="channels_last") + bias


@given(height=st.integers(2, 7), width=st.integers(2, 7), seed=st.integers(0, 1000))
def test_every_pixel_and_gradient_equals_doubling_reflecting_and_convolving(height: int, width: int, seed: int) -> None:
    """Borders and corners too, whatever the size."""
    arrays = [draw(2, height, width, 3, seed=seed), draw(5, 5, 3, 4, seed=1), draw(4, seed=2)]
    ours, expected = (value_and_gradients(function, arrays) for function in (upsampled_convolution, step_by_step))
    for got, wanted in zip(ours, expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-12)


def test_sizes_may_be_unknown_until_the_graph_runs() -> None:
    x, kernel, bias = (draw(*shape).astype("float32") for shape in ((2, 4, 5, 3), (5, 5, 3, 4), (4,)))
    graph = tf.function(
        lambda x: upsampled_convolution(x, tf.constant(kernel), tf.constant(bias)),
        input_signature=[tf.TensorSpec((None, None, None, 3))],
    )
    np.testing.assert_allclose(graph(x), step_by_step(x, kernel, bias), rtol=1e-4, atol=1e-4)
