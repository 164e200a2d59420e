"""float64 with JAX on a CPU, as golden values need it: whole, and in seconds."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from keras.src.backend.common import dtypes

LARGE = 2**21  # numbers: windows of more are not kept for the gradient

_convolution = lax.conv_general_dilated


def set_up() -> None:
    """Keras' means and variances of float64 stay float64 with JAX, as they do with TensorFlow; and convolutions of
    float64 are computed as matrix products: with XLA's own an iteration of the reduced
    networks takes ten times as long."""
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    lax.conv_general_dilated = _by_type


def _by_type(x: Any, kernel: Any, strides: Any, padding: Any, **more: Any) -> Any:
    if not x.dtype == kernel.dtype == jnp.float64:
        return _convolution(x, kernel, strides, padding, **more)

    def by_products(x: Any, kernel: Any) -> Any:
        return convolved(x, kernel, strides, padding, **more)

    large = x.size * math.prod(kernel.shape[:-2]) > LARGE
    return (jax.checkpoint(by_products) if large else by_products)(x, kernel)


def convolved(x: Any, kernel: Any, strides: Any, padding: str, **more: Any) -> Any:
    """(B, H, W, G C) by a kernel (k, k, C, G F), or lines by one (k, C, G F), in G groups of channels: every window as
    one row."""
    *sizes, channels, filters = kernel.shape
    groups, dilation = more["feature_group_count"], more["rhs_dilation"]
    if padding.upper() == "SAME":
        borders = [d * (size // 2) for d, size in zip(dilation, sizes, strict=True)]
        x = jnp.pad(x, [(0, 0), *((border, border) for border in borders), (0, 0)])
    for axis, size, d, stride in reversed(list(zip((1, 2), sizes, dilation, strides, strict=False))):
        last = x.shape[axis] - d * (size - 1)
        shifted = [lax.slice_in_dim(x, d * i, d * i + last, stride, axis) for i in range(size)]
        x = jnp.concatenate(shifted, -1) if size > 1 else shifted[0]
    if groups == 1:
        return x @ kernel.reshape(-1, filters)
    windows = x.reshape(*x.shape[:-1], -1, groups, channels)
    kernel = kernel.reshape(-1, channels, groups, filters // groups)
    return jnp.einsum("...kgc,kcgf->...gf", windows, kernel).reshape(*x.shape[:-1], filters)
