"""The convolution of a doubled map, against one that doubles, reflects and convolves."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from hicmd_tf.method.networks.convolutions import Convolution
from hicmd_tf.method.networks.upsampling import mirrored, upsampled_convolution

Array = np.ndarray[Any, Any]


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def step_by_step(x: Any, kernel: Any, bias: Any) -> Any:
    doubled = ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2)
    return ops.conv(mirrored(doubled, 2, "reflect"), kernel, padding="valid", data_format="channels_last") + bias


def value_and_gradients(function: Any, arrays: list[Array]) -> list[Array]:
    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = function(*tensors)
        total = tf.reduce_sum(y * draw(*y.shape, seed=9))
    return [np.asarray(tensor) for tensor in (y, *tape.gradient(total, tensors))]


@settings(max_examples=20, deadline=None)
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


@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (5, 2)])
def test_a_layer_that_upsamples_has_a_kernel_of_five_and_no_stride(kernel_size: int, stride: int) -> None:
    with pytest.raises(ValueError, match=f"kernel_size 5 .* received kernel_size {kernel_size}"):
        Convolution(4, kernel_size, stride, upsample=True)
