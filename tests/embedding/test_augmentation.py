"""Changes of training pictures against one picture and pixel after another."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from keras import ops

from hicmd_tf.data.pictures import normalise
from hicmd_tf.embedding.augmentation import BLACK, augmented, shifted, with_channels

HEIGHT, WIDTH = 5, 4
Array = np.ndarray


def pictures(seed: int, count: int) -> Array:
    return np.random.default_rng(seed).normal(size=(count, HEIGHT, WIDTH, 3)).astype(np.float32)


def cut(picture: Array, down: int, right: int, pad: int) -> Array:
    """The picture with a black border, cut so that what was at the corner is so far down and right."""
    bordered = np.empty((HEIGHT + 2 * pad, WIDTH + 2 * pad, 3), np.float32)
    bordered[:] = normalise(np.zeros((1, 1, 1, 3), np.uint8))[0, 0, 0]
    bordered[pad : pad + HEIGHT, pad : pad + WIDTH] = picture
    return bordered[pad - down : pad - down + HEIGHT, pad - right : pad - right + WIDTH]


def shown(picture: Array, channel: int) -> Array:
    """What `data.identity_batches` says of a channel."""
    if channel == 0:
        return picture
    red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
    one = (red, green, blue, 0.299 * red + 0.587 * green + 0.114 * blue)[channel - 1]
    return np.stack([one, one, one], axis=-1)


SHIFTS = arrays.arrays(np.int32, (3, 2), elements=st.integers(-3, 3))
CHANNELS = arrays.arrays(np.int32, (3,), elements=st.integers(0, 4))


def test_black_is_a_black_pixel_normalised() -> None:
    np.testing.assert_array_equal(BLACK.astype(np.float32), normalise(np.zeros((1, 1, 1, 3), np.uint8))[0, 0, 0])


@given(seed=st.integers(0, 99), shifts=SHIFTS)
def test_pictures_are_cut_of_a_black_border(seed: int, shifts: Array) -> None:
    x = pictures(seed, 3)
    expected = [cut(one, *shift, pad=3) for one, shift in zip(x, shifts.tolist(), strict=True)]
    np.testing.assert_array_equal(ops.convert_to_numpy(shifted(x, shifts)), expected)


@given(seed=st.integers(0, 99), channels=CHANNELS)
def test_one_channel_or_grey_stands_in_all(seed: int, channels: Array) -> None:
    x = pictures(seed, 3)
    expected = [shown(one, channel) for one, channel in zip(x, channels.tolist(), strict=True)]
    np.testing.assert_allclose(ops.convert_to_numpy(with_channels(x, channels)), expected, rtol=1e-6, atol=1e-7)


@given(seed=st.integers(0, 99), shifts=SHIFTS, channels=CHANNELS)
def test_cut_comes_first_then_erasing_and_channels_last(seed: int, shifts: Array, channels: Array) -> None:
    x = pictures(seed, 3)
    boxes = np.array([[0, 0, 0, 0], [1, 2, 3, 1], [0, 0, 4, 3]], np.int32)
    expected = []
    for one, shift, (top, left, height, width), channel in zip(x, shifts, boxes, channels.tolist(), strict=True):
        moved = cut(one, *shift.tolist(), pad=3).copy()
        moved[top : top + height, left : left + width] = 0
        expected.append(shown(moved, channel))
    batch = {
        "infrared": x,
        "shifts": {"infrared": shifts},
        "erasing": {"infrared": boxes},
        "channels": {"infrared": channels},
    }
    np.testing.assert_allclose(ops.convert_to_numpy(augmented(batch, "infrared")), expected, rtol=1e-6, atol=1e-7)
