"""What the model of every engine has: networks, settings, optimisers, and the names of its state."""

from functools import cached_property
from typing import Any

import keras

from hicmd_tf.config.schema import Config
from hicmd_tf.engines.base import Optimisers, Part
from hicmd_tf.engines.numbers import RuntimeNumbers
from hicmd_tf.method.descriptor import Descriptor
from hicmd_tf.method.networks.build import Networks
from hicmd_tf.notation import MODALITIES


class Common:
    """ID-PIG, the discriminators and HFL with their optimisers."""

    networks: Networks
    settings: Config
    numbers: RuntimeNumbers
    optimisers: Optimisers

    def hold(self, networks: Networks, config: Config) -> None:
        """Takes the networks."""
        self.networks, self.settings = networks, config
        self.generator, self.features, self.layout = networks.generator, networks.features, networks.layout
        self.numbers = RuntimeNumbers(config.losses)

    def trained(self) -> dict[Part, list[keras.Variable]]:
        """What each optimiser trains."""
        discriminators = self.networks.discriminators
        return {
            "generator": self.generator.trainable_variables,
            "discriminator": [v for m in MODALITIES for v in discriminators[m].trainable_variables],
            "features": self.features.trainable_variables,
        }

    @cached_property
    def descriptor(self) -> Descriptor:
        """The `Descriptor` of pictures by the present weights, in the networks' precision."""
        return Descriptor(self.networks)

    def adopt(self, config: Config) -> None:
        """Takes loss weights, margin and learning rates of another configuration, without tracing the iteration anew.

        Raises ValueError when its losses differ otherwise.
        """
        self.numbers.assign(config.losses)
        self.optimisers.adopt(config.optimisers)
        self.settings = config

    @property
    def step(self) -> int:
        """Iterations that the model has been trained for."""
        return int(self.optimisers.by_part()["generator"].iterations.numpy())  # a mirrored one has no int

    @property
    def state(self) -> dict[str, Any]:
        """Everything that an iteration changes, weights, running statistics, random states and optimisers, by names
        that are the same in every process and with every engine."""
        moments = {
            f"{part.removesuffix('s')}_optimiser/{variable.path.partition('/')[2]}": variable
            for part, optimiser in self.optimisers.by_part().items()
            for variable in optimiser.variables
        }
        return {**self.networks.variables(), **moments}
