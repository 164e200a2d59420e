"""The prior on the ID-excluded code a^ex (Eq. 6)."""

from typing import Literal

from keras import ops

from hicmd_tf.method.losses.precision import accurate
from hicmd_tf.notation import Tensor

Form = Literal["mean_square", "gaussian"]

SMALLEST_VARIANCE = 1e-8  # keeps the logarithm finite for a code whose entries are all equal


def mean_square(excluded: Tensor) -> Tensor:
    """Mean of the squares of codes a^ex (B, D) over all entries (released).

    Up to factor and constant the divergence to N(0, 1) of Gaussians with unit variance around the entries.
    """
    return ops.mean(ops.square(accurate(excluded)))


def gaussian(excluded: Tensor) -> Tensor:
    """D_KL(a^ex || N(0, 1)) of codes (B, D), the mean over the B images (paper, Eq. 6).

    The paper does not say how a deterministic code is a distribution. The reading here: the D entries of one image's
    code are draws from a Gaussian with their mean mu and (biased) variance s^2, and
    D_KL(N(mu, s^2) || N(0, 1)) = (mu^2 + s^2 - 1 - log s^2) / 2. It is 0 for a code of mean 0 and variance 1.
    """
    excluded = accurate(excluded)
    mean = ops.mean(excluded, axis=-1)  # (B,)
    variance = ops.var(excluded, axis=-1)  # (B,)
    divergence = 0.5 * (ops.square(mean) + variance - 1.0 - ops.log(variance + SMALLEST_VARIANCE))
    return ops.mean(divergence)


def kl(excluded: Tensor, form: Form) -> Tensor:
    """Eq. 6 of codes a^ex (B, D) in one of its two forms. Raises ValueError on another form."""
    forms = {"mean_square": mean_square, "gaussian": gaussian}
    if form not in forms:
        raise ValueError(f"kl form must be one of {', '.join(forms)}, received {form!r}")
    return forms[form](excluded)
