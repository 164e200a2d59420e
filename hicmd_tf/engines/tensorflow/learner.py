"""A method as a Keras model: the networks with their optimisers, and `train_step`."""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, cast

import keras
import tensorflow as tf

from hicmd_tf.chosen_method import AnyNetworks, chosen
from hicmd_tf.config.schema import Config
from hicmd_tf.engines.base import Optimisers
from hicmd_tf.engines.model import Common
from hicmd_tf.engines.tensorflow.engine import TensorFlowEngine
from hicmd_tf.method.generation import Pictures, Reconstructed, reconstruct
from hicmd_tf.method.method import MethodOf
from hicmd_tf.method.networks.build import Networks
from hicmd_tf.notation import Tensor


class Learner(Common, keras.Model):
    """Hi-CMD, or an embedding network. Trains through `training.loop.iterate` on `data.batches`; on one device also
    through Keras' `fit`."""

    def __init__(self, networks: AnyNetworks, config: Config, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hold(networks, config)
        self.engine = TensorFlowEngine(self.distribute_strategy or tf.distribute.get_strategy())
        self.built = True

    def compile(self, optimisers: Optimisers) -> None:  # type: ignore[override]
        """Binds each optimiser to its own variables."""
        self.optimisers = optimisers
        super().compile(optimizer=next(iter(optimisers.by_part().values())), jit_compile=False)  # XLA is slower on CPU
        self.engine.take(optimisers, self.trained())
        # Made once, so that runs which follow one another with the same model share its trace.
        self.train_replicas = self.engine.compile(self.train_step)

    def train_step(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """One iteration, by the schedule of the method. Returns its named, unweighted losses and what is logged beside
        them."""
        return chosen(self.settings).iteration(self.method(), batch)

    def method(self) -> MethodOf[Any]:
        """The method for the schedule; to be called where the iteration is traced."""
        return MethodOf(self.networks, self.settings, self.numbers(), self.engine)

    @cached_property
    def reconstruct(self) -> Callable[[Pictures], Reconstructed]:
        """`generation.reconstruct` of Hi-CMD with the present weights, traced once."""
        return tf.function(
            partial(reconstruct, MethodOf(cast(Networks, self.networks), self.settings)), autograph=False
        )

    @cached_property
    def look(self) -> Callable[[], tuple[Tensor, list[Tensor]]]:
        """A function, traced once, that says whether no weight and running statistic is non-finite or so large (1e19)
        that its square is, and gives the whole state, not copied."""
        state, networks = list(self.state.values()), self.networks.variables().values()
        reckoned = [place for place, variable in enumerate(networks) if "float" in variable.dtype]

        def look() -> tuple[Tensor, list[Tensor]]:
            values = [_value(variable) for variable in state]
            total = tf.add_n([tf.cast(tf.nn.l2_loss(values[place]), "float64") for place in reckoned])
            return tf.math.is_finite(total), values

        return tf.function(look, autograph=False)


def _value(variable: keras.Variable) -> Tensor:
    """A variable's value; with several replicas the first one's, which equals all others."""
    value: Any = variable.value
    if isinstance(value, tf.distribute.DistributedValues):
        return value.read_value()
    return tf.raw_ops.ReadVariableOp(resource=value.handle, dtype=value.dtype)  # traced in a fifth of the time
