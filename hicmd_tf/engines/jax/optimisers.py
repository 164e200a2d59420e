"""The optimisers' rules (`training.optimisers` says them in words) on few long vectors instead of hundreds of tensors.

While iterations run, an optimiser's buffers stand as one vector for each bucket of weights. On a CPU, where joining
tensors costs more than it saves, a bucket is one weight.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from hicmd_tf.config.schema import OptimiserConfig
from hicmd_tf.notation import Tensor

Moments = list[list[Tensor]]
"""By bucket, then by slot: what an optimiser remembers of each weight, as long as the bucket's weights together."""

Numbers = dict[str, Tensor]
"""What an optimiser computes in float64 from the step alone (`training.optimisers`), in the weights' type."""

Rule = Callable[[Tensor, Tensor, list[Tensor], Numbers, str], tuple[Tensor, list[Tensor]]]
"""(w, g, slots, numbers, the name of the rate among them) -> new w, new slots."""

TOGETHER = 64  # weights of a bucket, at most


def adam(config: OptimiserConfig) -> Rule:
    """The rule of `training.optimisers.CoupledAdam`."""

    def rule(w: Tensor, g: Tensor, slots: list[Tensor], numbers: Numbers, rate: str) -> tuple[Tensor, list[Tensor]]:
        first, second = slots
        g = _decayed(g, w, config)
        first = first + (g - first) * (1.0 - config.beta_1)
        second = second + (g * g - second) * (1.0 - config.beta_2)
        return w - first * numbers[rate] / (jnp.sqrt(second) + numbers["epsilon"]), [first, second]

    return rule


def sgd(config: OptimiserConfig) -> Rule:
    """The rule of `training.optimisers.MomentumSGD`."""

    def rule(w: Tensor, g: Tensor, slots: list[Tensor], numbers: Numbers, rate: str) -> tuple[Tensor, list[Tensor]]:
        g = _decayed(g, w, config)
        velocity = config.momentum * slots[0] + g
        return w - numbers[rate] * (g + config.momentum * velocity if config.nesterov else velocity), [velocity]

    return rule


RULES = {"adam": adam, "sgd": sgd}
"""By `training.optimisers.Coupled.rule`."""


def _decayed(g: Tensor, w: Tensor, config: OptimiserConfig) -> Tensor:
    return g + config.weight_decay * w if config.weight_decay else g


class Bucket(NamedTuple):
    """Weights that are updated as one: their indices in the part, and the name of their rate."""

    indices: list[int]
    rate: str


class Optimiser:
    """One part's. slots: how many buffers a weight has. shapes, rates: of each weight, the name of the latter. joined:
    whether buckets hold many weights."""

    def __init__(
        self, rule: Rule, slots: int, shapes: Sequence[tuple[int, ...]], rates: Sequence[str], joined: bool
    ) -> None:
        self._rule, self._slots, self._shapes = rule, slots, shapes
        self.buckets: list[Bucket] = []
        for index, rate in enumerate(rates):
            last = self.buckets[-1] if self.buckets else None
            if joined and last and last.rate == rate and len(last.indices) < TOGETHER:
                last.indices.append(index)
            else:
                self.buckets.append(Bucket([index], rate))

    def pack(self, buffers: Sequence[Sequence[Tensor]]) -> Moments:
        """Buffers by weight and slot, each of its weight's shape, as moments."""
        slots = range(self._slots)
        return [[_joined([buffers[index][slot] for index in of.indices]) for slot in slots] for of in self.buckets]

    def unpack(self, moments: Moments) -> list[list[Tensor]]:
        """What `pack` was given."""
        found: list[list[Tensor]] = [[] for _ in self._shapes]
        for bucket, slots in zip(self.buckets, moments, strict=True):
            for slot in slots:
                for index, buffer in zip(bucket.indices, self._apart(slot, bucket.indices), strict=True):
                    found[index].append(buffer)
        return found

    def step(
        self, weights: Sequence[Tensor], gradients: Sequence[Tensor | None], moments: Moments, numbers: Numbers
    ) -> tuple[list[Tensor], Moments]:
        """New weights and moments. A weight without a gradient is left alone, weight decay included."""
        new, after = list(weights), []
        for bucket, slots in zip(self.buckets, moments, strict=True):
            learn = [index for index in bucket.indices if gradients[index] is not None]
            whole = len(learn) == len(bucket.indices)
            of_each: list[dict[int, Tensor]] = []
            if not whole:
                of_each = [dict(zip(bucket.indices, self._apart(slot, bucket.indices), strict=True)) for slot in slots]
            kept = slots if whole else [_joined([of[index] for index in learn]) for of in of_each if learn]
            if learn:
                w, g = (_joined([of[index] for index in learn]) for of in (weights, gradients))
                w, kept = self._rule(w, g.astype(w.dtype), kept, numbers, bucket.rate)
                for index, weight in zip(learn, self._apart(w, learn), strict=True):
                    new[index] = weight
            if not whole:
                for of, slot in zip(of_each, kept, strict=False):
                    of.update(zip(learn, self._apart(slot, learn), strict=True))
                kept = [_joined([of[index] for index in bucket.indices]) for of in of_each]
            after.append(kept)
        return new, after

    def _apart(self, vector: Tensor, indices: Sequence[int]) -> list[Tensor]:
        """What `_joined` was given."""
        if len(indices) == 1:
            return [vector]
        parts, start = [], 0
        for shape in (self._shapes[index] for index in indices):
            parts.append(vector[start : start + math.prod(shape)].reshape(shape))
            start += math.prod(shape)
        return parts


def _joined(tensors: Sequence[Any]) -> Tensor:
    """One vector of all; a single tensor as it is."""
    return tensors[0] if len(tensors) == 1 else jnp.concatenate([tensor.reshape(-1) for tensor in tensors])
