"""Which codes the equations decode, by a decoder that only says what it was given."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from keras import ops

from hicmd_tf.attributes import AttributeLayout
from hicmd_tf.config import Config, with_values
from hicmd_tf.method.generation import decode_cycle, decode_swaps
from hicmd_tf.method.method import Method
from hicmd_tf.notation import MODALITIES, Codes, other

LAYOUT = AttributeLayout(length=16, chunks=2, style=4, pose=2, illumination=2)
PAIRS = 3


def told(codes: tuple[Any, Any]) -> Any:
    """(p (B / n, ..), a (B, D)) -> (B, C + D): both, where G would make a picture."""
    prototype, attributes = codes
    prototype = ops.tile(ops.reshape(prototype, (len(prototype), -1)), (len(attributes) // len(prototype), 1))
    return ops.concatenate([prototype, attributes], axis=1)


def method(config: Config) -> Method:
    networks: Any = SimpleNamespace(generator=SimpleNamespace(decoder=told), layout=LAYOUT)
    return Method(networks, config)


def draw_codes(seed: int) -> dict[Any, Codes]:
    rng = np.random.default_rng(seed)
    return {
        m: Codes(*(ops.convert_to_tensor(rng.normal(size=(PAIRS, *shape)), "float32") for shape in ((1, 1, 5), (16,))))
        for m in MODALITIES
    }


@pytest.mark.parametrize("same_style", ["swapped", "own"])
def test_swaps_decode_the_codes_that_the_equations_name(smoke_config: Config, same_style: str) -> None:
    codes = draw_codes(0)
    decoded = decode_swaps(method(with_values(smoke_config, {"losses.same_style": same_style})), codes)
    for m in MODALITIES:
        (p, a), (p_o, a_o) = codes[m], codes[other(m)]
        swapped = LAYOUT.combine(style=a_o, pose=a, illumination=a)
        np.testing.assert_array_equal(decoded.cross[m], told((p_o, swapped)))  # Eq. 1
        np.testing.assert_array_equal(decoded.same[m], told((p, a if same_style == "own" else swapped)))  # Eq. 2
        np.testing.assert_array_equal(decoded.illumination[m], told((p_o, LAYOUT.combine(a_o, a_o, a))))  # Eq. 7


@pytest.mark.parametrize("attributes", ["original", "reconstructed"])
def test_the_cycle_decodes_what_was_encoded_again(smoke_config: Config, attributes: str) -> None:
    codes, recoded = draw_codes(0), draw_codes(1)
    config = with_values(smoke_config, {"losses.cycle_attributes": attributes})
    cycle = decode_cycle(method(config), codes, recoded)
    for m in MODALITIES:
        # Eq. 3. The picture in the look of o carries m's prototype and style, the one in m's look m's excluded codes.
        source = recoded if attributes == "reconstructed" else codes
        swapped = LAYOUT.swap_style(source[other(m)].attributes, source[m].attributes)
        np.testing.assert_array_equal(cycle[m], told((recoded[other(m)].prototype, swapped)))
