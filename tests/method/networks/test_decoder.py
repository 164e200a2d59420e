"""The decoder: which chunk of the attribute code steers which AdaIN layer, sizes, separate images."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.method.networks import convolutions
from hicmd_tf.method.networks.decoder import Decoder, Perceptron

Array = np.ndarray[Any, Any]
CHANNELS, CHUNKS, LENGTH = 8, 4, 24


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def tiny() -> Decoder:
    decoder = Decoder(CHANNELS, CHUNKS, [6, 5])
    decoder.build(((None, None, None, CHANNELS), (None, LENGTH)))
    return decoder


shared = cache(tiny)  # for tests that change nothing


def perceptrons(decoder: Decoder, chunk: int) -> list[Any]:
    return [*decoder.scales[chunk].trainable_variables, *decoder.shifts[chunk].trainable_variables]


@pytest.fixture
def adain_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Array, Array]]:
    """Scales and shifts of every AdaIN layer, in the order of their use."""
    calls: list[tuple[Array, Array]] = []
    adain = convolutions.instance_norm

    def recorded(x: Any, scale: Any, shift: Any) -> Any:
        calls.append((np.asarray(scale), np.asarray(shift)))
        return adain(x, scale, shift)

    monkeypatch.setattr(convolutions, "instance_norm", recorded)
    return calls


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_chunk_changes_exactly_two_adain_layers(chunk: int, adain_calls: list[tuple[Array, Array]]) -> None:
    decoder, prototype, attributes = tiny(), draw(1, 4, 3, CHANNELS), draw(1, LENGTH, seed=1)
    decoder((prototype, attributes))
    size = LENGTH // CHUNKS
    attributes[:, chunk * size : (chunk + 1) * size] += 1
    decoder((prototype, attributes))
    before, after = adain_calls[: 2 * CHUNKS], adain_calls[2 * CHUNKS :]
    assert len(after) == 2 * CHUNKS
    for part in range(2):  # scale, shift
        changed = {i for i in range(2 * CHUNKS) if not np.array_equal(before[i][part], after[i][part])}
        assert changed == {2 * chunk, 2 * chunk + 1}


def test_adain_layers_take_the_halves_of_the_perceptrons_outputs(adain_calls: list[tuple[Array, Array]]) -> None:
    decoder, attributes = tiny(), draw(1, LENGTH).astype("float32")
    decoder((draw(1, 4, 3, CHANNELS), attributes))
    for k, chunk in enumerate(np.split(attributes, CHUNKS, axis=1)):
        for part, nets in enumerate((decoder.scales, decoder.shifts)):
            halves = np.split(nets[k](chunk), 2, axis=1)
            for position, half in enumerate(halves):
                np.testing.assert_allclose(adain_calls[2 * k + position][part], half, atol=1e-6)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_chunk_reaches_only_its_own_perceptrons(chunk: int, float64: None) -> None:
    """The code's gradient in a chunk is zero when the chunk's perceptrons are constant, and not otherwise."""
    decoder, codes = tiny(), (tf.constant(draw(1, 4, 3, CHANNELS)), tf.constant(draw(1, LENGTH, seed=1)))
    for variable in perceptrons(decoder, chunk):
        if variable.name == "kernel":
            variable.assign(np.zeros(variable.shape))
    with tf.GradientTape() as tape:
        tape.watch(codes[1])
        loss = tf.reduce_sum(tf.square(decoder(codes)))
    gradient = np.reshape(tape.gradient(loss, codes[1]), (CHUNKS, -1))
    reached = np.abs(gradient).max(axis=1) > 0
    np.testing.assert_array_equal(reached, np.arange(CHUNKS) != chunk)


def test_perceptron_is_three_dense_layers_without_last_activation(float64: None) -> None:
    net = Perceptron(5)
    net.build((None, 3))
    x = inner = draw(2, 3)
    for position, layer in enumerate(net.dense):
        layer.bias.assign(draw(5, seed=position))
        inner = inner @ layer.kernel.numpy() + layer.bias.numpy()
        inner = inner if position == 2 else np.where(inner > 0, inner, 0.3 * inner)
    np.testing.assert_allclose(net(x), inner, atol=1e-12)


@settings(max_examples=5, deadline=None)
@given(st.integers(2, 7), st.integers(2, 7), st.integers(1, 2))
def test_pictures_are_four_times_the_prototype(height: int, width: int, batch: int) -> None:
    codes = draw(batch, height, width, CHANNELS), draw(batch, LENGTH)
    assert tuple(shared()(codes).shape) == (batch, 4 * height, 4 * width, 3)


def test_output_is_linear_in_the_last_convolution(float64: None) -> None:
    """No squashing after it: pictures live in normalised colours."""
    decoder, codes = tiny(), (draw(1, 3, 2, CHANNELS), draw(1, LENGTH))
    before, offset = decoder(codes), np.array([100.0, -100.0, 7.0])
    decoder.colour.convolution.bias.assign(offset)
    np.testing.assert_allclose(decoder(codes), before + offset, atol=1e-9)


def test_images_of_a_batch_do_not_mix(float64: None) -> None:
    decoder, prototypes, attributes = tiny(), draw(3, 4, 3, CHANNELS), draw(3, LENGTH, seed=1)
    alone = [decoder((prototypes[i : i + 1], attributes[i : i + 1])) for i in range(3)]
    np.testing.assert_allclose(decoder((prototypes, attributes)), np.concatenate(alone), atol=1e-10)


def test_calling_builds_the_same_sizes_as_build() -> None:
    called = Decoder(CHANNELS, CHUNKS, [6, 5])
    called((draw(1, 3, 2, CHANNELS), draw(1, LENGTH)))
    assert [v.shape for v in called.variables] == [v.shape for v in tiny().variables]


def test_one_prototype_may_go_with_several_attribute_codes(float64: None) -> None:
    decoder = tiny()
    prototypes, attributes = draw(2, 6, 5, CHANNELS), draw(6, LENGTH, seed=1)

    pictures = decoder((tf.constant(prototypes), tf.constant(attributes)))

    each = decoder((tf.constant(np.tile(prototypes, (3, 1, 1, 1))), tf.constant(attributes)))
    np.testing.assert_allclose(pictures, each, rtol=1e-12, atol=1e-12)
