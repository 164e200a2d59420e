"""The prototype encoder, the attribute encoder and the ResNet under it."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.method.networks.encoders import AtrousPyramid, AttributeEncoder, PrototypeEncoder
from hicmd_tf.method.networks.layers import leaky_relu
from hicmd_tf.method.networks.norms import instance_norm
from hicmd_tf.method.networks.resnet import Bottleneck, ConvolutionNorm, Stage, Stem

Array = np.ndarray[Any, Any]


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def prototype_encoder() -> PrototypeEncoder:
    encoder = PrototypeEncoder([4, 6, 6, 8], residual_blocks=1, aspp_width=3, dilations=[1, 2, 3])
    encoder.build((None, None, None, 3))
    return encoder


def attribute_encoder(stride_first: bool = False) -> AttributeEncoder:
    encoder = AttributeEncoder(4, [2, 3, 4, 5], [1, 2, 1, 1], stride_first)
    encoder.build((None, None, None, 3))
    return encoder


shared_prototype_encoder = cache(prototype_encoder)  # for tests that change nothing
shared_attribute_encoder = cache(attribute_encoder)


# ------------------------------------------------------------------------------------------------ prototype encoder


@settings(max_examples=5, deadline=None)
@given(st.integers(4, 9), st.integers(4, 9), st.integers(1, 2))
def test_prototypes_are_a_quarter_of_the_image_and_standardised(height: int, width: int, batch: int) -> None:
    prototype = np.asarray(shared_prototype_encoder()(draw(batch, 4 * height, 4 * width, 3)))
    assert prototype.shape == (batch, height, width, 12)
    np.testing.assert_allclose(prototype.mean((1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(prototype.std((1, 2)), 1, atol=0.05)


def test_pyramid_concatenates_its_branches_point_first(float64: None) -> None:
    pyramid, x = AtrousPyramid(3, [1, 2]), draw(1, 6, 5, 4)
    pyramid.build(x.shape)
    branches = [instance_norm(pyramid.point.convolution(x))]
    for reduction, dilated in zip(pyramid.reductions, pyramid.dilated, strict=True):
        reduced = leaky_relu(instance_norm(reduction.convolution(x)))
        branches.append(instance_norm(dilated.convolution(reduced)))
    fused = instance_norm(pyramid.fuse.convolution(np.concatenate(branches, axis=-1)))
    np.testing.assert_allclose(pyramid(x), fused, atol=1e-10)
    assert [block.convolution.sizes["dilation"] for block in pyramid.dilated] == [1, 2]


def test_prototypes_of_a_batch_do_not_mix(float64: None) -> None:
    encoder, x = prototype_encoder(), draw(3, 16, 16, 3)
    alone = [encoder(x[i : i + 1]) for i in range(3)]
    np.testing.assert_allclose(encoder(x), np.concatenate(alone), atol=1e-9)


# ------------------------------------------------------------------------------------------------ attribute encoder


@settings(max_examples=5, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.booleans())
def test_attributes_are_the_mean_of_a_thirty_second_size_map(height: int, width: int, stride_first: bool) -> None:
    encoder, x = shared_attribute_encoder(stride_first), draw(1, 4 * height, 4 * width, 3)
    features = np.asarray(encoder.feature_map(x.astype("float32")))
    assert features.shape == (1, -(-height // 8), -(-width // 8), 20)
    np.testing.assert_allclose(encoder(x), features.mean((1, 2)), atol=1e-5)
    assert features.min() >= 0


def test_attribute_encoder_passes_groups_and_updates_to_every_norm() -> None:
    together, apart, x = attribute_encoder(), attribute_encoder(), draw(5, 32, 32, 3).astype("float32")
    apart.set_weights(together.get_weights())
    first, _, second, _ = (apart(part, training=True) for part in (x[:2], x[:2], x[2:], x[2:]))
    got = together(x, training=True, groups=[2, 3], updates=2)
    np.testing.assert_allclose(got, np.concatenate([first, second]), atol=1e-4)
    for one, another in zip(together.non_trainable_variables, apart.non_trainable_variables, strict=True):
        np.testing.assert_allclose(one, another, rtol=1e-3, atol=1e-4)


# ----------------------------------------------------------------------------------------------------------- ResNet


def naive_convolution(x: Array, kernel: Array, stride: int, pad: int) -> Array:
    padded, size = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0))), len(kernel)
    height, width = ((length - size) // stride + 1 for length in padded.shape[1:3])
    out = np.zeros((len(x), height, width, kernel.shape[-1]))
    for row in range(height):
        for column in range(width):
            top, left = row * stride, column * stride
            out[:, row, column] = np.tensordot(padded[:, top : top + size, left : left + size], kernel, axes=3)
    return out


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (7, 2)])
def test_resnet_convolutions_pad_zeros_on_both_sides(size: int, stride: int, float64: None) -> None:
    layer, x = ConvolutionNorm(4, size, stride), draw(1, 8, 10, 3)
    layer.build(x.shape)
    expected = naive_convolution(x, layer.kernel.numpy(), stride, size // 2) / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(layer(x), np.maximum(expected, 0), atol=1e-12)


def test_stem_pools_maxima_of_three_by_three_windows(float64: None) -> None:
    stem, x = Stem(4), draw(1, 16, 12, 3)
    stem.build(x.shape)
    inner = np.asarray(stem.convolution(x))
    expected = np.zeros((1, 4, 3, 4))
    for row in range(4):
        for column in range(3):
            top, left = max(2 * row - 1, 0), max(2 * column - 1, 0)
            expected[:, row, column] = inner[:, top : 2 * row + 2, left : 2 * column + 2].max((1, 2))
    np.testing.assert_allclose(stem(x), expected, atol=1e-12)


@pytest.mark.parametrize("stride_first", [False, True])
def test_bottleneck_puts_its_stride_where_the_weights_want_it(stride_first: bool, float64: None) -> None:
    block, x = Bottleneck(2, stride=2, project=True, stride_first=stride_first), draw(1, 6, 6, 4)
    block.build(x.shape)
    assert block.shortcut is not None
    branches = (block.reduce, block.spatial, block.expand, block.shortcut)
    assert [branch.sizes["stride"] for branch in branches] == ([2, 1, 1, 2] if stride_first else [1, 2, 1, 2])
    inner = block.expand(block.spatial(block.reduce(x)))
    np.testing.assert_allclose(block(x), np.maximum(inner + block.shortcut(x), 0), atol=1e-12)


def test_only_a_stages_first_block_has_a_stride_and_a_projection() -> None:
    stage = Stage(2, 3, 2)
    stage.build((None, None, None, 4))
    assert [block.shortcut is not None for block in stage.blocks] == [True, False, False]
    assert [block.spatial.sizes["stride"] for block in stage.blocks] == [2, 1, 1]
    assert tuple(stage(draw(1, 8, 6, 4)).shape) == (1, 4, 3, stage.channels)


def test_every_resnet_weight_gets_a_gradient() -> None:
    encoder, x = attribute_encoder(), tf.constant(draw(4, 32, 32, 3), "float32")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(encoder(x, training=True)))
    gradients = tape.gradient(loss, [v.value for v in encoder.trainable_variables])
    assert all(gradient is not None for gradient in gradients)
