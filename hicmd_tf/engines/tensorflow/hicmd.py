"""Hi-CMD as a Keras model: the networks with their three optimisers, and `train_step`."""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import keras
import tensorflow as tf

from hicmd_tf.config.schema import Config
from hicmd_tf.engines.base import Optimisers
from hicmd_tf.engines.numbers import RuntimeNumbers
from hicmd_tf.engines.tensorflow.engine import TensorFlowEngine
from hicmd_tf.method.descriptor import Descriptor
from hicmd_tf.method.generation import Pictures, Reconstructed, reconstruct
from hicmd_tf.method.method import Method
from hicmd_tf.method.networks.build import Networks
from hicmd_tf.method.schedule import iteration
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Tensor


class HiCMD(keras.Model):
    """ID-PIG, the discriminators and HFL. Trains through `training.loop.iterate` on `data.batches`; on one device also
    through Keras' `fit`."""

    def __init__(self, networks: Networks, config: Config, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.generator = networks.generator
        self.visible_discriminator = networks.discriminators[VISIBLE]
        self.infrared_discriminator = networks.discriminators[INFRARED]
        self.features = networks.features
        self.layout = networks.layout
        self.settings = config
        self.numbers = RuntimeNumbers(config.losses)
        self.engine = TensorFlowEngine(self.distribute_strategy or tf.distribute.get_strategy())
        self.built = True

    def compile(self, optimisers: Optimisers) -> None:  # type: ignore[override]
        """Binds each optimiser to its own variables."""
        self._optimisers = optimisers
        super().compile(optimizer=optimisers.by_part()["generator"], jit_compile=False)  # XLA is slower on CPU
        self.engine.take(
            optimisers,
            {
                "generator": self.generator.trainable_variables,
                "discriminator": [v for m in MODALITIES for v in self.networks.discriminators[m].trainable_variables],
                "features": self.features.trainable_variables,
            },
        )
        # Made once, so that runs which follow one another with the same model share its trace.
        self.train_replicas = self.engine.compile(self.train_step)

    def train_step(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """One iteration, by the schedule of the method. Returns its named, unweighted losses and what is logged beside
        them."""
        return iteration(self.method(), batch)

    def method(self) -> Method:
        """What the schedule works with; to be called where the iteration is traced."""
        return Method(self.networks, self.settings, self.numbers(), self.engine)

    @cached_property
    def descriptor(self) -> Descriptor:
        """What describes pictures with the present weights, in the networks' precision."""
        return Descriptor(self.networks)

    @cached_property
    def reconstruct(self) -> Callable[[Pictures], Reconstructed]:
        """`generation.reconstruct` with the present weights, traced once."""
        return tf.function(partial(reconstruct, Method(self.networks, self.settings)), autograph=False)

    def adopt(self, config: Config) -> None:
        """Takes loss weights, margin and learning rates of another configuration, without tracing the iteration anew.

        Raises ValueError when its losses differ otherwise.
        """
        self.numbers.assign(config.losses)
        self.optimisers.adopt(config.optimisers)
        self.settings = config

    @property
    def networks(self) -> Networks:
        """The networks that are trained."""
        discriminators = {VISIBLE: self.visible_discriminator, INFRARED: self.infrared_discriminator}
        return Networks(self.generator, discriminators, self.features, self.layout)

    @property
    def optimisers(self) -> Optimisers:
        """The three optimisers."""
        return self._optimisers

    @property
    def step(self) -> int:
        """Iterations that the model has been trained for."""
        return int(self.optimizer.iterations.numpy())

    @property
    def state(self) -> dict[str, keras.Variable]:
        """Everything that an iteration changes, weights, running statistics, random states and optimisers, by names
        that are the same in every process."""
        moments = {
            f"{part.removesuffix('s')}_optimiser/{variable.path.partition('/')[2]}": variable
            for part, optimiser in self.optimisers.by_part().items()
            for variable in optimiser.variables
        }
        return {**self.networks.variables(), **moments}
