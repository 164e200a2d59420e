"""HOG and LOMO against loops over pixels, and on pictures whose descriptors are known."""

import colorsys
import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hicmd_tf.retrieval.hand_crafted import LOMO_SIZE, hog, hsv_bins, lomo, siltp

COLOURS = 40 * 512
"""Entries of LOMO's first half."""


def noise(seed: int, *size: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


@pytest.mark.parametrize(
    ("row", "codes"),
    [
        ([131, 100, 69], [0, 2 + 9, 9]),  # the right one is darker, the left one brighter; 131 is not, seen from 100
        ([130, 100, 70], [0, 0, 9]),  # exactly 0.3 is not more
        ([0, 0, 1], [0, 1, 2 * 9]),
    ],
)
def test_patterns_of_three_pixels(row: list[int], codes: list[int]) -> None:
    assert siltp(np.array([row]), 1).tolist() == [codes]


def test_patterns_of_a_column() -> None:
    """Above is 3, below 27."""
    assert siltp(np.array([[131], [100], [69]]), 1).ravel().tolist() == [0, 3 + 2 * 27, 3]


@pytest.mark.parametrize(
    ("colour", "hue", "saturation", "value"),
    [
        ((255, 0, 0), 0, 7, 7),
        ((255, 255, 0), 1, 7, 7),
        ((0, 255, 0), 2, 7, 7),
        ((0, 255, 255), 4, 7, 7),
        ((0, 0, 255), 5, 7, 7),
        ((255, 0, 255), 6, 7, 7),
        ((255, 0, 1), 7, 7, 7),
        ((127, 0, 0), 0, 7, 3),
        ((200, 100, 100), 0, 4, 6),
        ((255, 255, 255), 0, 0, 7),
        ((127, 127, 127), 0, 0, 3),
        ((0, 0, 0), 0, 0, 0),
    ],
)
def test_bins_of_known_colours(colour: tuple[int, int, int], hue: int, saturation: int, value: int) -> None:
    assert hsv_bins(np.array(colour), 255) == 64 * hue + 8 * saturation + value


def naive_bin(colour: Sequence[float]) -> int:
    """Levels are divided by each other only: those that are equal to a bin's border stay so."""
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    places = [min(int(8 * part), 7) for part in (hue, saturation, value / 255)]
    return 64 * places[0] + 8 * places[1] + places[2]


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_bins_of_any_colour(colour: tuple[int, int, int]) -> None:
    assert hsv_bins(np.array(colour), 255) == naive_bin(colour)


def naive_lomo(picture: np.ndarray) -> np.ndarray:
    parts: tuple[list[float], list[float]] = ([], [])
    levels = picture.astype(float)
    for _ in range(3):
        height, width = levels.shape[:2]
        bins = np.zeros((height, width), int)
        grey = np.rint(16000 * levels @ [0.299, 0.587, 0.114]).astype(int)
        for y, x in itertools.product(range(height), range(width)):
            bins[y, x] = naive_bin(levels[y, x])
        parts[0].extend(naive_rows(bins, 512))
        for radius in (3, 5):
            codes = np.zeros((height, width), int)
            for y, x in itertools.product(range(height), range(width)):
                around = [(y, x + radius), (y - radius, x), (y, x - radius), (y + radius, x)]
                for place, (row, column) in enumerate(around):
                    other = grey[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
                    if 10 * other > 13 * grey[y, x]:
                        codes[y, x] += 3**place
                    elif 10 * other < 7 * grey[y, x]:
                        codes[y, x] += 2 * 3**place
            parts[1].extend(naive_rows(codes, 81))
        even = levels[: height // 2 * 2, : width // 2 * 2]
        levels = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    logarithms = [np.log(1 + np.array(part)) for part in parts]
    return np.concatenate([part / np.sqrt(np.square(part).sum()) for part in logarithms])


def naive_rows(codes: np.ndarray, bins: int) -> list[float]:
    """Of each row of blocks the largest count of each code."""
    found: list[float] = []
    for top in range(0, codes.shape[0] - 9, 5):
        row = [
            [np.count_nonzero(codes[top : top + 10, left : left + 10] == code) for code in range(bins)]
            for left in range(0, codes.shape[1] - 9, 5)
        ]
        found.extend(np.max(row, axis=0))
    return found


@pytest.mark.parametrize("size", [(40, 40), (47, 53)])
@pytest.mark.parametrize("few", [False, True])
def test_lomo_against_loops(size: tuple[int, int], few: bool) -> None:
    picture = noise(3, *size)
    if few:  # equal neighbours
        picture = (picture // 64 * 64)[::-1]
    np.testing.assert_allclose(lomo(picture), naive_lomo(picture), atol=1e-6)


def test_lomo_has_26960_entries_in_two_halves_of_length_1() -> None:
    found = lomo(noise(1, *LOMO_SIZE))
    assert found.shape == (26960,) and found.dtype == np.float32
    for half in (found[:COLOURS], found[COLOURS:]):
        assert np.linalg.norm(half) == pytest.approx(1, abs=1e-6)


def test_lomo_of_one_colour_is_one_bin_of_each_row_of_blocks() -> None:
    found = lomo(np.full((*LOMO_SIZE, 3), (0, 0, 255), np.uint8))
    colours, patterns = found[:COLOURS].reshape(40, 512), found[COLOURS:].reshape(80, 81)
    expected = np.zeros((40, 512))
    expected[:, 64 * 5 + 63] = 1 / np.sqrt(40)
    np.testing.assert_allclose(colours, expected, atol=1e-6)
    np.testing.assert_allclose(patterns[:, 0], 1 / np.sqrt(80), atol=1e-6)
    assert not patterns[:, 1:].any()


@settings(max_examples=10)
@given(st.integers(0, 1000), st.integers(1, 5))
def test_patterns_stay_in_stronger_light(seed: int, stronger: int) -> None:
    picture = noise(seed, *LOMO_SIZE) // 5
    np.testing.assert_array_equal(lomo(picture * np.uint8(stronger))[COLOURS:], lomo(picture)[COLOURS:])


def test_colours_stay_when_they_are_elsewhere_in_the_row() -> None:
    one, other, lower = np.full((3, *LOMO_SIZE, 3), 90, np.uint8)
    one[40:80, 4:16] = other[40:80, 24:36] = lower[60:100, 4:16] = (200, 30, 30)
    np.testing.assert_array_equal(lomo(one)[:COLOURS], lomo(other)[:COLOURS])
    assert not np.array_equal(lomo(one)[:COLOURS], lomo(lower)[:COLOURS])


@pytest.mark.parametrize(("upright", "entries"), [(True, (0, 18)), (False, (4, 13))])
def test_hog_of_an_edge(upright: bool, entries: tuple[int, int]) -> None:
    """An edge through two of the block's four cells: one orientation of each, clipped alike, so 1 / sqrt(2)."""
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[:, 4:, 1] = 180
    expected = np.zeros(36)
    expected[[*entries]] = np.sqrt(0.5)
    np.testing.assert_allclose(hog(picture if upright else picture.swapaxes(0, 1)), expected, atol=1e-6)


def naive_hog(picture: np.ndarray) -> np.ndarray:
    grey = picture @ [0.299, 0.587, 0.114]
    height, width = grey.shape
    cells = np.zeros((height // 8, width // 8, 9))
    for y, x in itertools.product(range(height // 8 * 8), range(width // 8 * 8)):
        down = grey[y + 1, x] - grey[y - 1, x] if 0 < y < height - 1 else 0
        right = grey[y, x + 1] - grey[y, x - 1] if 0 < x < width - 1 else 0
        cells[y // 8, x // 8, int(np.degrees(np.arctan2(down, right)) % 180 // 20) % 9] += np.hypot(down, right) / 64
    blocks = []
    for y, x in itertools.product(range(len(cells) - 1), range(cells.shape[1] - 1)):
        block = cells[y : y + 2, x : x + 2].ravel()
        for most in (0.2, 1):
            block = np.minimum(block / np.sqrt(np.square(block).sum() + 1e-10), most)
        blocks.append(block)
    return np.concatenate(blocks)


@settings(max_examples=10, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(16, 26), st.integers(16, 26), st.just(3))))
def test_hog_against_loops(picture: np.ndarray) -> None:
    noisy = picture ^ noise(0, *picture.shape[:2])
    np.testing.assert_allclose(hog(noisy), naive_hog(noisy), atol=1e-5)


def test_hog_of_a_person_s_picture_has_its_length() -> None:
    assert hog(noise(0, 256, 128)).shape == (31 * 15 * 36,)
