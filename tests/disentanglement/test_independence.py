"""Distance correlation is the textbook's, and finds what depends and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.disentanglement.independence import (
    AT_MOST,
    CORRELATION,
    LIMIT,
    P_VALUE,
    correlation,
    independence_figures,
    standardised,
)


def of(x: np.ndarray, y: np.ndarray) -> float:
    return correlation(standardised(x), standardised(y))


def naive(x: np.ndarray, y: np.ndarray) -> float:
    """By double loops, as the paper writes it."""
    n = len(x)

    def centred(of: np.ndarray) -> list[list[float]]:
        a = [[float(np.linalg.norm(of[i] - of[j])) for j in range(n)] for i in range(n)]
        total = sum(map(sum, a))
        return [
            [
                0.0
                if i == j
                else a[i][j] - sum(a[i]) / (n - 2) - sum(row[j] for row in a) / (n - 2) + total / ((n - 1) * (n - 2))
                for j in range(n)
            ]
            for i in range(n)
        ]

    def product(a: list[list[float]], b: list[list[float]]) -> float:
        return sum(a[i][j] * b[i][j] for i in range(n) for j in range(n) if i != j) / (n * (n - 3))

    a, b = centred(x), centred(y)
    return product(a, b) / (product(a, a) * product(b, b)) ** 0.5


@settings(max_examples=15, deadline=None)
@given(st.integers(4, 12), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_it_is_that_of_double_loops(count: int, wide: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(count, wide)), 100 + rng.normal(size=(count, 2))
    assert of(x, y) == pytest.approx(naive(x, y), abs=1e-9)


def test_a_code_turned_shifted_and_scaled_is_the_same_code() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    assert of(x, 7 - 3 * x @ turn) == pytest.approx(1.0)
    assert of(x[:, :1], 2 * x[:, :1] + 1) == pytest.approx(1.0)


def test_independent_codes_are_about_zero_and_on_both_sides_of_it() -> None:
    """Uncorrected, codes of 60 entries would seem to depend: there the share is near 1."""
    values = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        values.append(of(rng.normal(size=(40, 60)), rng.normal(size=(40, 60))))
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(40)
    assert min(values) < 0 < max(values) and max(map(abs, values)) < 0.2


def test_a_dependence_without_any_linear_one_is_found() -> None:
    x = np.random.default_rng(1).uniform(-1, 1, size=(200, 1))
    assert abs(np.corrcoef(x[:, 0], x[:, 0] ** 2)[0, 1]) < 0.15 and of(x, x**2) > 0.15


def test_a_code_that_never_changes_depends_on_nothing() -> None:
    assert of(np.full((9, 4), 3.7), np.random.default_rng(0).normal(size=(9, 2))) == 0.0


def test_pairs_are_judged_within_a_modality_against_permutations() -> None:
    """Everything depends on the modality, and within it only the first two codes on one another."""
    rng = np.random.default_rng(2)
    infrared = np.arange(160) % 2 == 1
    base = rng.normal(size=(160, 3))
    codes = {
        "a": base + 50 * infrared[:, None],
        "b": base[:, :2] ** 2 + 50 * infrared[:, None],
        "c": rng.normal(size=(160, 5)) + 50 * infrared[:, None],
    }
    rows = {"visible": np.flatnonzero(~infrared), "infrared": np.flatnonzero(infrared)}
    found = independence_figures(codes, rows, 0, "trained")
    assert found == independence_figures(codes, rows, 0, "trained")
    figures = {(row.setting, row.subject, row.measure): row.value for row in found}
    assert len(figures) == len(found) == 2 * 3 * 3 and {row.asked for row in found} == {80}
    for modality in rows:
        value, limit, p = (figures[modality, "a and b", name] for name in (CORRELATION, LIMIT, P_VALUE))
        assert value > limit and p == pytest.approx(1 / 201)
        for other in ("a and c", "b and c"):
            value, limit, p = (figures[modality, other, name] for name in (CORRELATION, LIMIT, P_VALUE))
            assert abs(value) < 0.1 and abs(limit) < 0.1 and p > 0.02
            assert (value > limit) == (p < 0.05) or abs(value - limit) < 0.01


def test_of_many_pictures_some_are_drawn_and_of_three_nothing_is_said() -> None:
    codes = {name: np.random.default_rng(i).normal(size=(AT_MOST + 20, 2)) for i, name in enumerate("ab")}
    rows = {"visible": np.arange(AT_MOST + 17), "infrared": np.arange(AT_MOST + 17, AT_MOST + 20)}
    found = independence_figures(codes, rows, 0, "trained")
    assert {(row.setting, row.asked) for row in found} == {("visible", AT_MOST)}
