"""Changes of training pictures against one picture and pixel after another."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from keras import ops

from hicmd_tf.embedding.augmentation import augmented, with_channels

HEIGHT, WIDTH = 5, 4
Array = np.ndarray


def pictures(seed: int, count: int) -> Array:
    return np.random.default_rng(seed).normal(size=(count, HEIGHT, WIDTH, 3)).astype(np.float32)


def shown(picture: Array, channel: int) -> Array:
    """What `data.identity_batches` says of a channel."""
    if channel == 0:
        return picture
    red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
    one = (red, green, blue, 0.299 * red + 0.587 * green + 0.114 * blue)[channel - 1]
    return np.stack([one, one, one], axis=-1)


CHANNELS = arrays.arrays(np.int32, (3,), elements=st.integers(0, 4))


@given(seed=st.integers(0, 99), channels=CHANNELS)
def test_one_channel_or_grey_stands_in_all(seed: int, channels: Array) -> None:
    x = pictures(seed, 3)
    expected = [shown(one, channel) for one, channel in zip(x, channels.tolist(), strict=True)]
    np.testing.assert_allclose(ops.convert_to_numpy(with_channels(x, channels)), expected, rtol=1e-6, atol=1e-7)


@given(seed=st.integers(0, 99), channels=CHANNELS)
def test_erasing_comes_first_and_channels_last(seed: int, channels: Array) -> None:
    x = pictures(seed, 3)
    boxes = np.array([[0, 0, 0, 0], [1, 2, 3, 1], [0, 0, 4, 3]], np.int32)
    expected = []
    for one, (top, left, height, width), channel in zip(x, boxes, channels.tolist(), strict=True):
        erased = one.copy()
        erased[top : top + height, left : left + width] = 0
        expected.append(shown(erased, channel))
    batch = {"infrared": x, "erasing": {"infrared": boxes}, "channels": {"infrared": channels}}
    np.testing.assert_allclose(ops.convert_to_numpy(augmented(batch, "infrared")), expected, rtol=1e-6, atol=1e-7)
