"""Light and sharpness of training pictures, against one picture, and one level or pixel, after another."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hicmd_tf.data.augmentation import LARGEST_BLUR, blur, brighten, drawn_blur, drawn_brightness

HEIGHT, WIDTH = 7, 5
Array = np.ndarray
PICTURES = arrays.arrays(np.uint8, st.tuples(st.integers(0, 4), st.just(HEIGHT), st.just(WIDTH), st.just(3)))


@given(pictures=PICTURES, seed=st.integers(0, 99))
def test_levels_become_gain_times_a_power_of_them(pictures: Array, seed: int) -> None:
    brightness = drawn_brightness(np.random.default_rng(seed), len(pictures), 1.0)
    expected = pictures.copy()
    for picture, (gain, gamma) in zip(expected, brightness.tolist(), strict=True):
        for place, level in np.ndenumerate(picture.copy()):
            picture[place] = round(255 * min(gain * (int(level) / 255) ** gamma, 1))
    brighten(pictures, brightness)
    assert np.abs(pictures.astype(int) - expected).max(initial=0) <= 1  # halves, by rounding
    assert np.sum(pictures != expected) <= 0.01 * pictures.size


def test_hand_made_brightness() -> None:
    pictures = np.full((4, 1, 1, 3), 64, np.uint8)
    pictures[0, 0, 0] = 0, 100, 255
    brighten(pictures, np.array([[1.0, 1.0], [2.0, 1.0], [0.5, 1.0], [1.0, 0.5]]))
    # as it was; 2 x 64; half of 64; 255 sqrt(64 / 255) = 127.7
    assert pictures[:, 0, 0].tolist() == [[0, 100, 255], [128] * 3, [32] * 3, [128] * 3]


def mirrored(place: int, length: int) -> int:
    """Of a line that goes on mirrored, its outermost entries twice: which entry stands there."""
    place %= 2 * length
    return min(place, 2 * length - 1 - place)


def blurred(line: Array, deviation: float) -> Array:
    """One line of pixels, entry by entry."""
    reach = int(4 * deviation + 0.5)
    weights = [math.exp(-0.5 * (k / deviation) ** 2) for k in range(-reach, reach + 1)]
    return np.array([
        sum(w * line[mirrored(at + k, len(line))] for k, w in zip(range(-reach, reach + 1), weights, strict=True))
        / sum(weights)
        for at in range(len(line))
    ])  # fmt: skip


@settings(max_examples=20)
@given(pictures=PICTURES, seed=st.integers(0, 99))
def test_a_blur_is_a_mean_of_what_lies_around(pictures: Array, seed: int) -> None:
    deviations = np.random.default_rng(seed).uniform(0.01, 2, len(pictures)) * (np.arange(len(pictures)) != 1)
    expected = pictures.astype(float)
    for number, deviation in enumerate(deviations.tolist()):
        for channel in range(3 if deviation else 0):
            plane = expected[number, ..., channel]
            plane = np.stack([blurred(line, deviation) for line in plane.T]).T
            expected[number, ..., channel] = np.stack([blurred(line, deviation) for line in plane])
    blur(pictures, deviations)
    np.testing.assert_allclose(pictures, expected, atol=0.51)


def test_strengths_and_probabilities_are_kept_to() -> None:
    """Logarithms as far to either side; as many blurred as asked, within four standard errors."""
    rng, count = np.random.default_rng(0), 4000
    for strength in (0.3, 1.0):
        octaves = np.log2(drawn_brightness(rng, count, strength)) / strength
        assert octaves.shape == (count, 2) and np.abs(octaves).max() <= 1 + 1e-12
        assert (np.abs(octaves.mean(0)) < 4 * (1 / 3 / count) ** 0.5).all()
        assert (np.abs(octaves.min(0) + 1) < 0.01).all() and (np.abs(octaves.max(0) - 1) < 0.01).all()
    for probability in (0.0, 0.3, 1.0):
        deviations = drawn_blur(rng, count, 64, probability)
        assert deviations.min() >= 0 and deviations.max() < 64 * LARGEST_BLUR
        share = np.mean(deviations > 0)
        assert abs(share - probability) <= 4 * (probability * (1 - probability) / count) ** 0.5
