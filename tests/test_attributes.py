"""The layout of the attribute code: laws of split, combine and swap, and the released index table."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hicmd_tf.attributes import AttributeLayout
from hicmd_tf.config import load

Array = np.ndarray[Any, Any]
RELEASED = AttributeLayout(length=2048, chunks=4, style=256, pose=128, illumination=128)


@st.composite
def layouts_and_codes(draw: st.DrawFn) -> tuple[AttributeLayout, list[Array]]:
    """A layout and three codes of two rows."""
    chunks, style, pose, illumination = (draw(st.integers(1, 4)) for _ in range(4))
    layout = AttributeLayout(chunks * (style + pose + illumination), chunks, style, pose, illumination)
    numbers = st.floats(-9, 9, width=32)
    return layout, [draw(arrays("float32", (2, layout.length), elements=numbers)) for _ in range(3)]


@settings(deadline=None, max_examples=50)
@given(layouts_and_codes())
def test_parts_have_their_lengths_and_are_the_whole(drawn: tuple[AttributeLayout, list[Array]]) -> None:
    layout, (a, *_) = drawn
    excluded = layout.chunks * (layout.pose + layout.illumination)
    assert layout.by_chunk(a).shape == (2, layout.chunks, layout.length // layout.chunks)
    assert layout.style_of(a).shape == (2, layout.style_length) == (2, layout.chunks * layout.style)
    assert layout.excluded_of(a).shape == (2, excluded) and layout.style_length + excluded == layout.length
    by_name = {name: np.asarray(of(a)).reshape(2, layout.chunks, -1) for name, of in layout.parts().items()}
    assert list(by_name) == ["style", "pose", "illumination"]
    np.testing.assert_array_equal(np.concatenate(list(by_name.values()), axis=2).reshape(a.shape), a)


@settings(deadline=None, max_examples=50)
@given(layouts_and_codes())
def test_combination_takes_every_part_from_its_code(drawn: tuple[AttributeLayout, list[Array]]) -> None:
    layout, (a, b, c) = drawn
    combined = np.asarray(layout.combine(style=a, pose=b, illumination=c))
    chunk = layout.style + layout.pose + layout.illumination
    for column in range(layout.length):
        place = column % chunk
        source = a if place < layout.style else b if place < layout.style + layout.pose else c
        np.testing.assert_array_equal(combined[:, column], source[:, column])


@settings(deadline=None, max_examples=50)
@given(layouts_and_codes())
def test_a_swap_takes_style_and_excluded_parts_and_twice_restores(drawn: tuple[AttributeLayout, list[Array]]) -> None:
    layout, (a, b, _) = drawn
    first, second = layout.swap_style(style=b, excluded=a), layout.swap_style(style=a, excluded=b)
    np.testing.assert_array_equal(layout.style_of(second), layout.style_of(a))
    np.testing.assert_array_equal(layout.excluded_of(second), layout.excluded_of(b))
    np.testing.assert_array_equal(layout.swap_style(second, first), a)
    np.testing.assert_array_equal(layout.swap_style(first, second), b)


def test_released_layout_has_the_released_indices() -> None:
    """In chunk k, of 512: style [0, 256), pose [256, 384), illumination [384, 512)."""
    index = np.arange(2048)[None]
    places = {"style": range(256), "pose": range(256, 384), "illumination": range(384, 512)}
    indices = {name: [512 * k + i for k in range(4) for i in place] for name, place in places.items()}
    np.testing.assert_array_equal(RELEASED.style_of(index)[0], indices["style"])
    excluded = [512 * k + i for k in range(4) for i in range(256, 512)]
    np.testing.assert_array_equal(RELEASED.excluded_of(index)[0], excluded)
    combined = np.asarray(RELEASED.combine(index, index + 10_000, index + 20_000))[0]
    for name, offset in (("style", 0), ("pose", 10_000), ("illumination", 20_000)):
        np.testing.assert_array_equal(combined[indices[name]], np.array(indices[name]) + offset)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((512, 4, 0.5, 0.5), RELEASED),
        ((64, 4, 0.5, 0.5), AttributeLayout(256, 4, 32, 16, 16)),
        ((64, 2, 0.25, 0.75), AttributeLayout(256, 2, 32, 72, 24)),
        ((25, 1, 0.1, 0.7), AttributeLayout(100, 1, 10, 63, 27)),
    ],
)
def test_ratios_become_entries_of_a_chunk(sizes: tuple[int, int, float, float], expected: AttributeLayout) -> None:
    last_width, blocks, style, pose = sizes
    given = {
        "networks.attribute_encoder.widths": [8, 16, 24, last_width],
        "networks.decoder.residual_blocks": blocks,
        "networks.attributes.style_ratio": style,
        "networks.attributes.pose_ratio": pose,
    }
    assert AttributeLayout.from_config(load("tiny", given).networks) == expected
