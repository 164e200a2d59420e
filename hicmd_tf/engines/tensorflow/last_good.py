"""What a model held before the iteration that is under way: an iteration either counts whole or changes nothing."""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np
import tensorflow as tf

from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.notation import Tensor

_READERS: WeakKeyDictionary[HiCMD, Any] = WeakKeyDictionary()  # traced once, for all trainings of a model


class LastGood:
    """The state of a model and its optimisers after the last iteration that went well.

    Keeping it copies nothing until a variable changes: TensorFlow then writes to a new place, for the old one is in
    use. By then most of an iteration's activations are gone, so its peak rises by less than the state's size.
    """

    def __init__(self, model: HiCMD) -> None:
        self._state: list[keras.Variable] = list(model.state.values())
        self._weights = _weights(model)
        if model not in _READERS:
            _READERS[model] = tf.function(_reader(self._state, self._weights), autograph=False)
        self._read = _READERS[model]
        self.spoilt()
        self.keep()

    def spoilt(self) -> list[str]:
        """Looks at the model as it is now: paths of its weights and running statistics that are non-finite, or
        so large (1e19) that their squares are none."""
        finite, self._now = self._read()
        if bool(finite):
            return []
        return [self._state[i].path for i in self._weights if not np.isfinite(tf.nn.l2_loss(self._now[i]))]

    def keep(self) -> None:
        """Takes what was looked at for good."""
        self._kept: list[Tensor] = self._now

    def restore(self) -> None:
        """Gives the model back what was kept."""
        for variable, value in zip(self._state, self._kept, strict=True):
            variable.assign(value)


def _weights(model: HiCMD) -> list[int]:
    """Places in the state of what an iteration reckons with, weights and running statistics; moments of the optimisers
    show up in these."""
    return [place for place, variable in enumerate(model.networks.variables().values()) if "float" in variable.dtype]


def _reader(state: list[keras.Variable], weights: list[int]) -> Callable[[], tuple[Tensor, list[Tensor]]]:
    """A function that says whether all weights are numbers, and gives the whole state."""

    def read() -> tuple[Tensor, list[Tensor]]:
        values = [_value(variable) for variable in state]
        total = tf.add_n([tf.cast(tf.nn.l2_loss(values[place]), "float64") for place in weights])
        return tf.math.is_finite(total), values

    return read


def _value(variable: keras.Variable) -> Tensor:
    """What a variable holds, not copied; of several replicas what the first one holds, which all of them do."""
    value: Any = variable.value
    if isinstance(value, tf.distribute.DistributedValues):
        return value.read_value()
    return tf.raw_ops.ReadVariableOp(resource=value.handle, dtype=value.dtype)  # traced in a fifth of the time
