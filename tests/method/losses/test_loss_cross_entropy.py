"""Eq. 8 against a loop over rows."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.method.losses.cross_entropy import cross_entropy


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 8), st.integers(1, 6), st.floats(0.1, 30), st.integers(0, 2**31))
def test_is_the_mean_negative_log_probability_of_the_label(rows, classes, scale, seed):
    rng = np.random.default_rng(seed)
    logits, labels = scale * rng.normal(size=(rows, classes)), rng.integers(classes, size=rows)
    losses = []
    for row, label in zip(logits, labels, strict=True):
        highest = max(row)
        losses.append(highest + math.log(sum(math.exp(z - highest) for z in row)) - row[label])
    np.testing.assert_allclose(cross_entropy(logits, labels), sum(losses) / rows, rtol=1e-10, atol=1e-12)


def test_equal_logits_cost_the_logarithm_of_the_classes():
    np.testing.assert_allclose(cross_entropy(np.zeros((3, 206)), np.array([0, 5, 205])), math.log(206), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_huge_logits_stay_finite(dtype):
    logits = np.array([[1e4, -1e4], [1e4, -1e4]], "float32")
    assert float(cross_entropy(logits, np.array([0, 1], dtype))) == 1e4
