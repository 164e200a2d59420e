"""The decoder: which chunk of the attribute code steers which AdaIN layer."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numeric import Array, draw

from hicmd_tf.method.networks import convolutions
from hicmd_tf.method.networks.decoder import Decoder

CHANNELS, CHUNKS, LENGTH = 8, 4, 24


@pytest.fixture
def decoder(float64: None) -> Decoder:
    decoder = Decoder(CHANNELS, CHUNKS, [6, 5])
    decoder.build(((None, None, None, CHANNELS), (None, LENGTH)))
    return decoder


def test_adain_layers_take_the_halves_of_their_own_chunks_perceptrons(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Array, Array]] = []
    adain = convolutions.instance_norm

    def recorded(x: Any, scale: Any, shift: Any) -> Any:
        calls.append((np.asarray(scale), np.asarray(shift)))
        return adain(x, scale, shift)

    monkeypatch.setattr(convolutions, "instance_norm", recorded)
    attributes = draw(1, LENGTH, seed=1)
    decoder((draw(1, 4, 3, CHANNELS), attributes))
    assert len(calls) == 2 * CHUNKS
    for k, chunk in enumerate(np.split(attributes, CHUNKS, axis=1)):
        for part, nets in enumerate((decoder.scales, decoder.shifts)):
            for position, half in enumerate(np.split(nets[k](chunk), 2, axis=1)):
                np.testing.assert_allclose(calls[2 * k + position][part], half, atol=1e-12)


def test_one_prototype_may_go_with_several_attribute_codes(decoder: Decoder) -> None:
    prototypes, attributes = draw(2, 6, 5, CHANNELS), tf.constant(draw(6, LENGTH, seed=1))
    pictures = decoder((tf.constant(prototypes), attributes))
    each = decoder((tf.constant(np.tile(prototypes, (3, 1, 1, 1))), attributes))
    np.testing.assert_allclose(pictures, each, rtol=1e-12, atol=1e-12)
