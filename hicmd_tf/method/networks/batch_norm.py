"""Batch normalisation that keeps groups of a batch apart, so that several calls can be one."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from hicmd_tf.engines.tensorflow import kernels, replicas
from hicmd_tf.method.networks.layers import Shape, serialisable
from hicmd_tf.method.networks.normalisation import EPSILON
from hicmd_tf.notation import Tensor

MOMENTUM = 0.1  # share of the newest batch in the running statistics


class KindGroups(NamedTuple):
    """Groups of a batch that is spread over devices.

    kinds: rows of each kind of pictures on this device. each: groups that each kind is divided into on this device.
    """

    kinds: tuple[int, ...]
    each: int

    def sizes(self) -> list[int]:
        """Rows of this device's groups."""
        return [rows // self.each for rows in self.kinds for _ in range(self.each)]

    def of_all_devices(self, statistics: list[list[Tensor]]) -> list[list[Tensor]]:
        """Lists with a tensor for each group of this device, as lists with one for each group of all devices: the first
        kind's on the first device, on the second, .., then the next kind's."""
        if replicas.count() == 1:
            return statistics
        places = [
            (replica, kind * self.each + group)
            for kind in range(len(self.kinds))
            for replica in range(replicas.count())
            for group in range(self.each)
        ]
        return [[one[place] for place in places] for one in replicas.gather([ops.stack(one) for one in statistics])]


Groups = Sequence[int] | KindGroups | None


@serialisable
class GroupedBatchNorm(keras.layers.Layer):
    """Batch norm over all axes but the last; in training each group of consecutive rows uses its own statistics.

    The released code calls its ResNets once for each modality and kind of image, two images a call (method 2.6). Calls
    merged into one batch compute the same when `groups` gives their sizes: the running statistics then move group by
    group, with the unbiased variance.

    On several devices, `KindGroups` for `groups`, no group straddles two, and the running statistics take in the groups
    of all devices, in the order in which one device with all groups would: they are the same on every device, and equal
    that one's. Other `groups` are taken for a batch that every device has, and computes, in whole.

    gamma_deviation: standard deviation of the initial scales round 1.
    """

    def __init__(self, gamma_deviation: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gamma_deviation = gamma_deviation

    def build(self, input_shape: Shape) -> None:
        channels = (input_shape[-1],)
        gamma = keras.initializers.RandomNormal(1.0, self.gamma_deviation)
        full = {"shape": channels, "autocast": False}  # float32 also under a mixed_bfloat16 policy
        self.gamma = self.add_weight(name="gamma", initializer=gamma, **full)
        self.beta = self.add_weight(name="beta", initializer="zeros", **full)
        self.moving_mean = self.add_weight(name="moving_mean", initializer="zeros", trainable=False, **full)
        self.moving_variance = self.add_weight(name="moving_variance", initializer="ones", trainable=False, **full)

    def call(self, x: Tensor, training: bool = False, groups: Groups = None, updates: int = 1) -> Tensor:
        """x (B, ..., C). groups: sizes that add up to B; None: one group. updates: how often the running statistics
        take each group in, for a forward pass that stands for several equal ones, or, 0, repeats one."""
        if not training:
            return self._normalise(x, self.moving_mean, self.moving_variance)
        sizes = groups.sizes() if isinstance(groups, KindGroups) else groups or []
        normalise = kernels.batch_norm if kernels.are_for(x) else _plain
        y, *statistics = normalise(x, sizes, self.gamma, self.beta, EPSILON)
        means, variances = groups.of_all_devices(statistics) if isinstance(groups, KindGroups) else statistics
        self._move(means, variances, updates)
        return y

    def _normalise(self, x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        scale = self.gamma * ops.rsqrt(variance + EPSILON)
        return x * ops.cast(scale, x.dtype) + ops.cast(self.beta - mean * scale, x.dtype)

    def _move(self, means: list[Tensor], variances: list[Tensor], updates: int) -> None:
        """running <- 0.9 running + 0.1 batch, for each group in turn, `updates` times each, in closed form."""
        if not updates:
            return
        keep = (1 - MOMENTUM) ** updates
        shares = [[(1 - keep) * keep**later] for later in reversed(range(len(means)))]
        for running, batches in ((self.moving_mean, means), (self.moving_variance, variances)):
            batch = ops.stop_gradient(ops.cast(ops.stack(batches), running.dtype))  # (G, C)
            running.assign(keep ** len(batches) * running + ops.sum(shares * batch, 0))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gamma_deviation": self.gamma_deviation}


def _plain(x: Tensor, sizes: Sequence[int], gamma: Tensor, beta: Tensor, epsilon: float) -> kernels.Normalised:
    """`kernels.batch_norm` on any backend, in any precision, gamma and beta for all groups."""
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
    axes = tuple(range(len(x.shape) - 1))
    found = kernels.Normalised([], [], [])
    for part in ops.split(x, ends) if ends else [x]:
        count = ops.cast(ops.size(part) // x.shape[-1], gamma.dtype)
        mean, variance = ops.moments(ops.cast(part, gamma.dtype), axes)
        scale = gamma * ops.rsqrt(variance + epsilon)
        found.y.append(part * ops.cast(scale, x.dtype) + ops.cast(beta - mean * scale, x.dtype))
        found.means.append(mean)
        found.variances.append(variance * count / ops.maximum(count - 1, 1))
    return found._replace(y=ops.concatenate(found.y))
