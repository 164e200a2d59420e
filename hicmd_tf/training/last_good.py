"""What a model held before the iteration that is under way: an iteration either counts whole or changes nothing."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hicmd_tf.notation import Tensor
from hicmd_tf.training.hicmd import HiCMD


class LastGood:
    """The state of a model and its optimisers behind the last iteration that went well.

    Keeping it takes no memory until a variable changes: TensorFlow then writes to a new place, for the old one is in
    use. By then an iteration's activations are gone, so its peak stays as it is.
    """

    def __init__(self, model: HiCMD) -> None:
        self._state: list[keras.Variable] = model.state
        # What an iteration reckons with, weights and running statistics; moments of the optimisers show up in these.
        self._weights = [i for i, v in enumerate(self._state[: len(model.variables)]) if "float" in v.dtype]
        self._read = tf.function(self._values, autograph=False)
        self.spoilt()
        self.keep()

    def _values(self) -> tuple[Tensor, list[Tensor]]:
        values = [_value(variable) for variable in self._state]
        total = tf.add_n([tf.cast(tf.nn.l2_loss(values[i]), "float64") for i in self._weights])
        return tf.math.is_finite(total), values

    def spoilt(self) -> list[str]:
        """Looks at the model as it is now: paths of its weights and running statistics that are no numbers any more, or
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


def _value(variable: keras.Variable) -> Tensor:
    """What a variable holds, not copied; of several replicas what the first one holds, which all of them do."""
    value: Any = variable.value
    if isinstance(value, tf.distribute.DistributedValues):
        return value.read_value()
    return tf.raw_ops.ReadVariableOp(resource=value.handle, dtype=value.dtype)  # traced in a fifth of the time
