"""The norms of single images: instance norm, AdaIN, the decoder's layer norm. Statistics are at least float32.

The convolutions' maps are the largest things there are, and norms, which only read and write them, cost what memory
costs: hence few passes, gradients that keep nothing but the input, and TensorFlow's fused kernel where it fits.
"""

from typing import Any

from keras import ops

from hicmd_tf.engines.tensorflow import kernels
from hicmd_tf.method.precision import accurate
from hicmd_tf.notation import Tensor

EPSILON = 1e-5


def instance_norm(x: Tensor) -> Tensor:
    """Each channel of each image (B, H, W, C) with mean 0 and (biased) variance 1, in training and test alike."""
    if _takes_kernel(x):
        ones = ops.ones((x.shape[0], x.shape[-1]), "float32")
        return _by_image(x, ones, ops.zeros_like(ones))
    return _standardise(x)


def adaptive_instance_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """AdaIN: instance norm of x (B, H, W, C), then scale and shift (B, C) of the image's own."""
    if _takes_kernel(x):
        return _by_image(x, ops.cast(scale, "float32"), ops.cast(shift, "float32"))
    return _standardise(x) * scale[:, None, None, :] + shift[:, None, None, :]


def _standardise(x: Tensor) -> Tensor:
    wide = accurate(x)
    mean, variance = ops.moments(wide, (1, 2), keepdims=True)
    return ops.cast((wide - mean) * ops.rsqrt(variance + EPSILON), x.dtype)


def _takes_kernel(x: Tensor) -> bool:
    """Images go through the kernel one by one, so their number must be known."""
    return kernels.are_for(x) and x.shape[0] is not None


def _by_image(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """An image is a batch of one: its batch norm is the instance norm."""
    return kernels.batch_norm(x, [1] * x.shape[0], scale, shift, EPSILON).y


def layer_norm(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """Each image (B, H, W, C) less its mean over its standard deviation (N - 1, epsilon added to it, as released),
    times gamma (C,), plus beta (C,).

    With m the mean, d the deviation, q = 1 / (d + epsilon) and N entries an image, u the gradient that arrives at
    q (x - m), the gradient of x is q (u - mean u) - q^2 sum(u (x - m)) (x - m) / ((N - 1) d).
    """

    @ops.custom_gradient
    def normalised(x: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, Any]:
        _, height, width, channels = ops.shape(x)
        count = ops.cast(height * width * channels, gamma.dtype)
        mean, variance = ops.moments(accurate(x), (1, 2, 3), keepdims=True)  # (B, 1, 1, 1)
        deviation = ops.sqrt(variance * count / (count - 1))
        q = 1 / (deviation + EPSILON)

        def gradients(*upstream: Tensor, **_: Any) -> tuple[Tensor, Tensor, Tensor]:
            g, centred = accurate(upstream[0]), accurate(x) - mean
            sums = ops.sum(g, (1, 2), keepdims=True)  # (B, 1, 1, C)
            products = ops.sum(g * centred, (1, 2), keepdims=True)
            total = ops.sum(gamma * products, -1, keepdims=True)  # (B, 1, 1, 1)
            pull = q * q * total / ((count - 1) * ops.maximum(deviation, 1e-30))
            level = q * ops.sum(gamma * sums, -1, keepdims=True) / count
            of_x = g * (q * gamma) - level - pull * centred
            of_gamma, of_beta = (ops.sum(terms, 0, keepdims=True) for terms in (q * products, sums))
            return ops.cast(of_x, x.dtype), of_gamma, of_beta

        y = (accurate(x) - mean) * (q * gamma) + beta
        return ops.cast(y, x.dtype), gradients

    return normalised(x, ops.reshape(gamma, (1, 1, 1, -1)), ops.reshape(beta, (1, 1, 1, -1)))
