"""A model's state before the iteration under way: an iteration either counts as a whole or changes nothing."""

import keras
import numpy as np
import tensorflow as tf

from hicmd_tf.engines.tensorflow.learner import Learner
from hicmd_tf.notation import Tensor


class LastGood:
    """The state of a model and its optimisers after the last iteration that went well.

    Keeping it copies nothing until a variable changes: TensorFlow then writes to a new place, for the old one is in
    use. By then most of an iteration's activations are gone, so its peak rises by less than the state's size.
    """

    def __init__(self, model: Learner) -> None:
        self._model = model
        self._state: list[keras.Variable] = list(model.state.values())
        self.spoilt()
        self.keep()

    def spoilt(self) -> list[str]:
        """Looks at the model as it is now: paths of its weights and running statistics that are non-finite, or
        so large (1e19) that their squares are. Moments of the optimisers show up in these."""
        finite, self._now = self._model.look()
        if bool(finite):
            return []
        named = zip(self._model.networks.variables().values(), self._now, strict=False)
        return [v.path for v, now in named if "float" in v.dtype and not np.isfinite(tf.nn.l2_loss(now))]

    def keep(self) -> None:
        """Takes what was looked at for good."""
        self._kept: list[Tensor] = self._now

    def restore(self) -> None:
        """Gives the model back what was kept."""
        for variable, value in zip(self._state, self._kept, strict=True):
            variable.assign(value)
