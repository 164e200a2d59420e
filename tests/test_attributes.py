"""The layout of the attribute code: laws of split, combine and swap, and the released index table."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.attributes import AttributeLayout
from hicmd_tf.config import load

RELEASED = AttributeLayout(length=2048, chunks=4, style=256, pose=128, illumination=128)


@given(*[st.integers(1, 4)] * 4)
def test_every_part_is_taken_from_its_code(chunks: int, style: int, pose: int, illumination: int) -> None:
    """What is combined of three codes has the parts of each; what is swapped, style of one and the rest of another."""
    chunk = style + pose + illumination
    layout = AttributeLayout(chunks * chunk, chunks, style, pose, illumination)
    a, b, c = codes = np.random.default_rng(0).normal(size=(3, 2, layout.length)).astype("float32")
    combined = layout.combine(style=a, pose=b, illumination=c)
    place = np.arange(layout.length) % chunk
    np.testing.assert_array_equal(combined, np.where(place < style, a, np.where(place < style + pose, b, c)))
    assert layout.style_of(a).shape == (2, layout.style_length) == (2, chunks * style)
    for (name, part), code in zip(layout.parts().items(), codes, strict=True):
        np.testing.assert_array_equal(part(combined), part(code), name)
    swapped = layout.swap_style(style=a, excluded=b)
    np.testing.assert_array_equal(layout.style_of(swapped), layout.style_of(a))
    np.testing.assert_array_equal(layout.excluded_of(swapped), layout.excluded_of(b))


def test_released_layout_has_the_released_indices() -> None:
    """In chunk k, of 512: style [0, 256), pose [256, 384), illumination [384, 512)."""
    index = np.arange(2048)[None]
    places = {"style": range(256), "pose": range(256, 384), "illumination": range(384, 512)}
    for name, place in places.items():
        indices = [512 * k + i for k in range(4) for i in place]
        np.testing.assert_array_equal(RELEASED.parts()[name](index)[0], indices)
    excluded = [512 * k + i for k in range(4) for i in range(256, 512)]
    np.testing.assert_array_equal(RELEASED.excluded_of(index)[0], excluded)


@pytest.mark.parametrize(
    ("last_width", "chunks", "style_ratio", "pose_ratio", "expected"),
    [
        (512, 4, 0.5, 0.5, RELEASED),
        (64, 4, 0.5, 0.5, AttributeLayout(256, 4, 32, 16, 16)),
        (64, 2, 0.25, 0.75, AttributeLayout(256, 2, 32, 72, 24)),
        (25, 1, 0.1, 0.7, AttributeLayout(100, 1, 10, 63, 27)),
    ],
)
def test_ratios_become_entries_of_a_chunk(
    last_width: int, chunks: int, style_ratio: float, pose_ratio: float, expected: AttributeLayout
) -> None:
    networks = load("tiny").networks
    changed = replace(
        networks,
        attribute_encoder=replace(networks.attribute_encoder, widths=[8, 16, 24, last_width]),
        attributes=replace(networks.attributes, style_ratio=style_ratio, pose_ratio=pose_ratio),
        decoder=replace(networks.decoder, residual_blocks=chunks),
    )
    assert AttributeLayout.from_config(changed) == expected
