"""Norms: of groups of a batch (batch norm) and of single images (instance norm, AdaIN, layer norm).

Statistics are at least float32. Norms only read and write the largest things there are: hence few passes, and one
computation for all groups.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from hicmd_tf.method.networks.fast import replaceable
from hicmd_tf.method.networks.layers import Shape, initial, normal, serialisable
from hicmd_tf.method.precision import accurate
from hicmd_tf.notation import Tensor

EPSILON = 1e-5
MOMENTUM = 0.1  # share of the newest batch in the running statistics


# ---------------------------------------------------------------------------------------------------- of single images


@replaceable
def instance_norm(x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
    """Each channel of each image (B, H, W, C) with mean 0 and (biased) variance 1, in training and test alike.

    AdaIN: then times scale, plus shift (B, C), the image's own.
    """
    y = _standardised(x, (1, 2))[0]
    if scale is not None and shift is not None:
        y = y * accurate(scale)[:, None, None, :] + accurate(shift)[:, None, None, :]
    return ops.cast(y, x.dtype)


def _standardised(x: Tensor, axes: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """x, in at least float32, with mean 0 and variance 1 along the axes; the mean; the biased variance."""
    wide = accurate(x)
    mean, variance = ops.moments(wide, axes, keepdims=True)
    return (wide - mean) * ops.rsqrt(variance + EPSILON), mean, variance


def layer_norm(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """Each image (B, H, W, C) less its mean over its standard deviation (N - 1, epsilon added to it, as released),
    times gamma (C,), plus beta (C,).

    With m the mean, d the deviation, q = 1 / (d + epsilon) and N entries per image, u the gradient that arrives at
    q (x - m), the gradient of x is q (u - mean u) - q^2 sum(u (x - m)) (x - m) / ((N - 1) d). It keeps only the input.
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


@serialisable
class ImageLayerNorm(keras.layers.Layer):
    """`layer_norm` with a learned scale, drawn from U(0, 1), and a learned shift of every channel."""

    def build(self, input_shape: Shape) -> None:
        full = {"shape": (input_shape[-1],), "autocast": False}  # float32 also under a mixed_bfloat16 policy
        uniform = keras.initializers.RandomUniform(0.0, 1.0)
        self.gamma = self.add_weight(name="gamma", initializer=initial(uniform), **full)
        self.beta = self.add_weight(name="beta", initializer="zeros", **full)

    def call(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.gamma, self.beta)


# ------------------------------------------------------------------------------------------------ of groups of a batch


class Normalised(NamedTuple):
    """y (B, ..., C); the means and the unbiased variances of G groups (G, C), which carry no gradient."""

    y: Tensor
    means: Tensor
    variances: Tensor


@replaceable
def group_norm(x: Tensor, sizes: Sequence[int], gamma: Tensor, beta: Tensor) -> Normalised:
    """Each channel of each group of rows of x (B, ..., C) with mean 0 and (biased) variance 1, times gamma, plus beta.

    Args:
        x: (B, ..., C).
        sizes: rows of the G groups, which add up to B; empty for one group.
        gamma, beta: (C,), at least float32.
    """
    if len(set(sizes)) > 1:
        parts = ops.split(x, np.cumsum(sizes)[:-1].tolist())
        found = [group_norm(part, (), gamma, beta) for part in parts]
        return Normalised(*(ops.concatenate(of_groups) for of_groups in zip(*found, strict=True)))
    shape = ops.shape(x)
    rows = sizes[0] if sizes else shape[0]
    groups = ops.reshape(x, (len(sizes) or 1, rows, *shape[1:]))  # (G, n, ..., C)
    y, mean, variance = _standardised(groups, tuple(range(1, len(shape))))
    count = ops.cast(rows * math.prod(shape[1:-1]), variance.dtype)
    unbiased = variance * count / ops.maximum(count - 1, 1)
    statistics = (ops.stop_gradient(ops.reshape(one, (-1, shape[-1]))) for one in (mean, unbiased))
    return Normalised(ops.cast(ops.reshape(y * gamma + beta, shape), x.dtype), *statistics)


class KindGroups(NamedTuple):
    """Groups of a batch that is spread over devices.

    kinds: rows of each kind of pictures on this device. each: groups that each kind is divided into on this device.
    """

    kinds: tuple[int, ...]
    each: int

    def sizes(self) -> list[int]:
        """Rows of this device's groups."""
        return [rows // self.each for rows in self.kinds for _ in range(self.each)]


@replaceable
def of_all_devices(statistics: list[Tensor], groups: KindGroups) -> list[Tensor]:
    """Statistics (G, C) of this device's groups as those of all devices' groups: the first kind's on the first device,
    on the second, .., then the next kind's. On one device they are the same."""
    return statistics


Groups = KindGroups | None


@replaceable
def take_in(running: tuple[Any, Any], statistics: list[Tensor], groups: Groups, updates: int) -> None:
    """Moves running means and variances, variables (C,), by this device's means and variances (G, C) in a batch.

    updates: see `GroupedBatchNorm`.
    """
    of_all = of_all_devices(statistics, groups) if groups else statistics
    for variable, batches in zip(running, of_all, strict=True):
        variable.assign(moved(variable, batches, updates))


def moved(running: Tensor, batches: Tensor, updates: int) -> Tensor:
    """running <- 0.9 running + 0.1 batch, for each of (G, C) in turn, `updates` times each, in closed form."""
    keep, count = (1 - MOMENTUM) ** updates, batches.shape[0]
    shares = [[(1 - keep) * keep**later] for later in reversed(range(count))]  # (G, 1)
    batch = ops.convert_to_tensor(shares, running.dtype) * ops.cast(batches, running.dtype)  # (G, C)
    return keep**count * running + ops.sum(batch, 0)


@serialisable
class GroupedBatchNorm(keras.layers.Layer):
    """Batch norm over all axes but the last; in training each group of consecutive rows uses its own statistics.

    The released code calls its ResNets once for each modality and kind of image, two images a call. Calls
    merged into one batch compute the same when `groups` divides it alike: the running statistics then move group by
    group, with the unbiased variance.

    On several devices no group straddles two, and the running statistics take in the groups of all devices, in the
    order in which one device with all groups would: they are the same on every device, and equal that one's. Without
    `groups` the batch is taken for one that every device has, and computes, in whole.

    gamma_deviation: standard deviation of the initial scales round 1. shift: whether beta is learned; otherwise it
    stays 0.
    """

    def __init__(self, gamma_deviation: float = 0.0, shift: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gamma_deviation, self.shift = gamma_deviation, shift

    def build(self, input_shape: Shape) -> None:
        gamma = normal(1.0, self.gamma_deviation)
        full = {"shape": (input_shape[-1],), "autocast": False}  # float32 also under a mixed_bfloat16 policy
        self.gamma = self.add_weight(name="gamma", initializer=gamma, **full)
        self.beta = self.add_weight(name="beta", initializer="zeros", trainable=self.shift, **full)
        self.moving_mean = self.add_weight(name="moving_mean", initializer="zeros", trainable=False, **full)
        self.moving_variance = self.add_weight(name="moving_variance", initializer="ones", trainable=False, **full)

    def call(self, x: Tensor, training: bool = False, groups: Groups = None, updates: int = 1) -> Tensor:
        """Normalises x (B, ..., C).

        Args:
            groups: None: one group.
            updates: how often the running statistics take each group in, for a forward pass that stands for several
                equal ones, or, 0, repeats one.
        """
        if not training:
            scale = self.gamma * ops.rsqrt(self.moving_variance + EPSILON)
            return x * ops.cast(scale, x.dtype) + ops.cast(self.beta - self.moving_mean * scale, x.dtype)
        sizes = groups.sizes() if groups else ()
        y, *statistics = group_norm(x, sizes, ops.convert_to_tensor(self.gamma), ops.convert_to_tensor(self.beta))
        if updates:
            take_in((self.moving_mean, self.moving_variance), statistics, groups, updates)
        return y
