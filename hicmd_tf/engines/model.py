"""What the learner of every engine has: networks, settings, optimisers, and the names of its state."""

from functools import cached_property
from typing import Any

import keras

from hicmd_tf.chosen_method import AnyNetworks, chosen
from hicmd_tf.config.schema import Config
from hicmd_tf.engines.base import Optimisers
from hicmd_tf.engines.numbers import RuntimeNumbers
from hicmd_tf.method.descriptor import Describing
from hicmd_tf.notation import Part


class Common:
    """The networks of a method with their optimisers. logged: names of what an iteration returns."""

    networks: AnyNetworks
    settings: Config
    numbers: RuntimeNumbers
    optimisers: Optimisers

    def hold(self, networks: AnyNetworks, config: Config) -> None:
        """Takes the networks."""
        self.networks, self.settings = networks, config
        self.logged = chosen(config).logged
        self.numbers = RuntimeNumbers(config.losses)

    def trained(self) -> dict[Part, list[keras.Variable]]:
        """What each optimiser trains."""
        return self.networks.trained()

    @cached_property
    def descriptor(self) -> Describing:
        """The descriptor of pictures by the present weights, in the networks' precision."""
        return self.networks.descriptor()

    def adopt(self, config: Config) -> None:
        """Takes loss weights, margin and learning rates of another configuration, without tracing the iteration anew.

        Raises ValueError when its losses differ otherwise.
        """
        self.numbers.assign(config.losses)
        self.optimisers.adopt(config)
        self.settings = config

    @property
    def step(self) -> int:
        """Iterations that the model has been trained for."""
        first, *_ = self.optimisers.by_part().values()
        return int(first.iterations.numpy())  # a mirrored one has no int

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
