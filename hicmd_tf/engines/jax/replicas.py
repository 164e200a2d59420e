"""Communication between the replicas of an iteration, one per device of a mesh (see `engines.tensorflow.replicas`)."""

from collections.abc import Sequence

import jax
from jax import lax

from hicmd_tf.data.batches import DETAILS
from hicmd_tf.notation import Tensor

AXIS = "replicas"
"""The mesh's axis."""
SHARES = ("pictures", "rows", "flips", *DETAILS)
"""What of a batch is shared out among the replicas, by pictures; the rest, labels and rates, everyone has."""


def count() -> int:
    """How many replicas compute the iteration together."""
    try:
        return int(lax.axis_size(AXIS))
    except NameError:  # outside of a mesh there is no such axis
        return 1


def gather(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Each tensor of every replica, (N, ...) in the replicas' order. Its gradient is that of the replica's own part."""
    if count() == 1:
        return [tensor[None] for tensor in tensors]
    of_all = lax.all_gather([lax.stop_gradient(tensor) for tensor in tensors], AXIS)
    own = [_among_zeros(tensor) for tensor in tensors]
    # What is added is zero, and has the gradient of the replica's own part.
    return [everyone + (one - lax.stop_gradient(one)) for everyone, one in zip(of_all, own, strict=True)]


def mean(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """The replicas' mean of every value."""
    return values if count() == 1 else lax.pmean(values, AXIS)


def total(tensors: list[Tensor]) -> list[Tensor]:
    """The replicas' sum of every tensor."""
    return tensors if count() == 1 else lax.psum(tensors, AXIS)


def _among_zeros(tensor: Tensor) -> Tensor:
    """(N, ...): the tensor in this replica's place, zeros in the others'."""
    place = jax.nn.one_hot(lax.axis_index(AXIS), count(), dtype=tensor.dtype)
    return place.reshape(-1, *[1] * tensor.ndim) * tensor[None]
