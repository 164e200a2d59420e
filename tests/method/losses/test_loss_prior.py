"""Both forms of Eq. 6 against loops, and the Gaussian form against the divergence's defining integral."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.method.losses.prior import gaussian, kl, mean_square


def gaussian_loop(codes):
    divergences = []
    for code in codes:
        mean = sum(code) / len(code)
        variance = sum((entry - mean) ** 2 for entry in code) / len(code)
        divergences.append((mean**2 + variance - 1 - math.log(variance)) / 2)
    return sum(divergences) / len(divergences)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 5), st.integers(3, 30), st.floats(-3, 3), st.floats(0.3, 4), st.integers(0, 2**31))
def test_both_forms_equal_their_loops(images, length, offset, scale, seed):
    codes = offset + scale * np.random.default_rng(seed).normal(size=(images, length))
    squares = [entry**2 for code in codes for entry in code]
    np.testing.assert_allclose(mean_square(codes), sum(squares) / len(squares), rtol=1e-12)
    np.testing.assert_allclose(gaussian(codes), gaussian_loop(codes), rtol=1e-5, atol=1e-6)


def test_gaussian_is_the_integral_of_p_log_p_over_q():
    code = np.array([[0.1, 0.9, 2.3, 1.1, 0.6, 2.0]])
    mean, deviation = code.mean(), code.std()
    z = np.linspace(mean - 12 * deviation, mean + 12 * deviation, 200_001)
    log_p = -0.5 * ((z - mean) / deviation) ** 2 - np.log(deviation * np.sqrt(2 * np.pi))
    log_q = -0.5 * z**2 - np.log(np.sqrt(2 * np.pi))
    integral = np.sum(np.exp(log_p) * (log_p - log_q)) * (z[1] - z[0])
    np.testing.assert_allclose(gaussian(code), integral, rtol=1e-6)


def test_gaussian_vanishes_at_mean_0_and_variance_1_alone():
    standard = np.array([[1.0, -1.0, 1.0, -1.0]])
    assert abs(float(gaussian(standard))) < 1e-7
    assert float(gaussian(standard + 0.1)) > 1e-3
    assert float(gaussian(standard * 1.1)) > 1e-3


def test_gaussian_is_a_mean_over_images_not_over_the_pooled_batch():
    codes = np.array([[1.0, -1.0, 1.0, -1.0], [5.0, 3.0, 5.0, 3.0]])  # means 0 and 4, variances 1
    np.testing.assert_allclose(gaussian(codes), (0 + 16 / 2) / 2, rtol=1e-7)


def test_a_constant_code_stays_finite():
    assert np.isfinite(float(gaussian(np.zeros((2, 8), "float32"))))


def test_kl_chooses_the_form_by_name():
    codes = np.random.default_rng(1).normal(size=(3, 5))
    assert float(kl(codes, "mean_square")) == float(mean_square(codes))
    assert float(kl(codes, "gaussian")) == float(gaussian(codes))
    with pytest.raises(ValueError, match="mean_square, gaussian, received 'huber'"):
        kl(codes, "huber")
