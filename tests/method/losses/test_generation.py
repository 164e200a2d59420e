"""L1 (Eq. 1 to 4) and the prior (Eq. 6) against NumPy, and the Gaussian prior against its defining integral."""

import numpy as np
import pytest

from hicmd_tf.method.losses.generation import kl, l1


def test_l1_is_the_mean_absolute_difference_over_all_elements():
    image, target = np.random.default_rng(1).normal(size=(2, 2, 4, 3, 3))
    np.testing.assert_allclose(l1(image, target), np.abs(image - target).mean(), rtol=1e-12)
    assert float(l1(image, image)) == 0


@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1.0), (-3.0, 0.3), (2.0, 4.0)])
def test_both_forms_of_the_prior_are_means_over_images(offset, scale):
    codes = offset + scale * np.random.default_rng(0).normal(size=(3, 20))
    mean, variance = codes.mean(1), codes.var(1)
    np.testing.assert_allclose(kl(codes, "mean_square"), (codes**2).mean(), rtol=1e-12)
    expected = ((mean**2 + variance - 1 - np.log(variance)) / 2).mean()
    np.testing.assert_allclose(kl(codes, "gaussian"), expected, rtol=1e-5, atol=1e-6)


def test_the_gaussian_prior_is_the_integral_of_p_log_p_over_q_and_finite_for_equal_entries():
    code = np.array([[0.1, 0.9, 2.3, 1.1, 0.6, 2.0]])
    mean, deviation = code.mean(), code.std()
    z = np.linspace(mean - 12 * deviation, mean + 12 * deviation, 200_001)
    log_p = -0.5 * ((z - mean) / deviation) ** 2 - np.log(deviation * np.sqrt(2 * np.pi))
    log_q = -0.5 * z**2 - np.log(np.sqrt(2 * np.pi))
    integral = np.sum(np.exp(log_p) * (log_p - log_q)) * (z[1] - z[0])
    np.testing.assert_allclose(kl(code, "gaussian"), integral, rtol=1e-6)
    assert np.isfinite(float(kl(np.zeros((2, 8), "float32"), "gaussian")))
