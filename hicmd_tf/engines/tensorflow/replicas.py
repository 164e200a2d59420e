"""Communication between the replicas of a model, one per device, inside an iteration.

On one device every function returns what it is given, and changes no number. An optimiser sums the replicas' gradients:
a loss that is the mean over a replica's rows is divided by their number (`method.schedule`), and one that each replica
computes of all rows hands on, through `gather`, what concerns its own.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from keras import ops

from hicmd_tf.notation import Tensor


def count() -> int:
    """How many replicas compute the iteration together."""
    context = _context()
    return 1 if context is None else int(context.num_replicas_in_sync)


def gather(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Each tensor of every replica, (N, ...) in the replicas' order. Its gradient is that of the replica's own part.

    TensorFlow's own all_gather would add the other replicas' gradients to it, and Keras' optimisers add them again.
    """
    if count() == 1:
        return [tensor[None] for tensor in tensors]
    own = [_among_zeros(tensor) for tensor in tensors]
    of_all = _context().all_reduce("SUM", [ops.stop_gradient(one) for one in own])
    # What is added is zero, and has the gradient of the replica's own part.
    return [everyone + (one - ops.stop_gradient(one)) for everyone, one in zip(of_all, own, strict=True)]


def mean(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """The replicas' mean of every value."""
    if count() == 1:
        return values
    return dict(zip(values, _context().all_reduce("MEAN", list(values.values())), strict=True))


def _context() -> Any:
    """TensorFlow's replica context; None between iterations."""
    return tf.distribute.get_replica_context()


def _among_zeros(tensor: Tensor) -> Tensor:
    """(N, ...): the tensor in this replica's place, zeros in the others'."""
    place = ops.one_hot(ops.convert_to_tensor(_context().replica_id_in_sync_group), count(), dtype=tensor.dtype)
    return ops.reshape(place, (-1, *[1] * len(tensor.shape))) * tensor[None]
