"""Losses of generated images and codes: reconstruction (Eq. 1 to 4) and the prior on codes (Eq. 6)."""

from typing import Literal

from keras import ops

from hicmd_tf.method.precision import accurate
from hicmd_tf.notation import Tensor

Prior = Literal["mean_square", "gaussian"]

SMALLEST_VARIANCE = 1e-8  # keeps the logarithm finite for a code whose entries are all equal


def l1(image: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference over all elements of two images (B, H, W, 3) or codes (B, D) (Eq. 1 to 4).

    The paper writes a norm; its weights fit the mean, which the release takes.
    """
    return ops.mean(ops.abs(accurate(image) - accurate(target)))


def kl(excluded: Tensor, form: Prior) -> Tensor:
    """D_KL(a^ex || N(0, 1)) of ID-excluded codes (B, D) (Eq. 6), in one of two forms.

    mean_square (released): mean of the squares of all entries. Up to factor and constant the divergence of Gaussians
        with unit variance around the entries.
    gaussian (paper): the mean over the B images. The paper does not say how a deterministic code is a distribution;
        the reading here is that the D entries of one image's code are draws from a Gaussian with their mean mu and
        (biased) variance s^2, and D_KL(N(mu, s^2) || N(0, 1)) = (mu^2 + s^2 - 1 - log s^2) / 2.
    """
    excluded = accurate(excluded)
    if form == "mean_square":
        return ops.mean(ops.square(excluded))
    mean, variance = ops.moments(excluded, -1)  # (B,)
    return ops.mean(0.5 * (ops.square(mean) + variance - 1.0 - ops.log(variance + SMALLEST_VARIANCE)))
