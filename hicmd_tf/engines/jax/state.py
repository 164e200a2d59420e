"""The state of an iteration: arrays in the place of Keras' variables.

Networks of both modalities are equal, and `JaxEngine.both` calls them as one. Where it does, each variable of the
visible one and its twin of the infrared one stand as one array (2, ...).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax.numpy as jnp
import keras

from hicmd_tf.engines.base import Part
from hicmd_tf.method.networks.build import Networks
from hicmd_tf.notation import MODALITIES, Tensor


class Leaf(NamedTuple):
    """A variable, or two that stand as one array (2, ...)."""

    variables: tuple[keras.Variable, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the leaf's array."""
        shape = tuple(self.variables[0].shape)
        return (len(self.variables), *shape) if len(self.variables) > 1 else shape

    def joined(self, values: list[Tensor]) -> Tensor:
        """The leaf's array of its variables' values."""
        return jnp.stack(values) if len(values) > 1 else values[0]

    def apart(self, array: Tensor) -> list[Tensor]:
        """The variables' values of the leaf's array."""
        return [array[i] for i in range(len(self.variables))] if len(self.variables) > 1 else [array]


class Places:
    """All leaves of the networks' variables, and where each variable stands.

    paired: whether networks of both modalities are called as one.
    """

    def __init__(self, networks: Networks, paired: bool) -> None:
        self.paired = paired
        self.leaves: list[Leaf] = []
        self.of_variable: dict[int, int] = {}
        generator, discriminators = networks.generator, networks.discriminators
        twins = ([generator.encoders(m) for m in MODALITIES], [discriminators[m] for m in MODALITIES])
        encoders, judges = (self._add_twins(*(network.variables for network in two)) for two in twins)
        decoder, features = self._add(generator.decoder.variables), self._add(networks.features.variables)
        self.parts: dict[Part, list[int]] = {
            "generator": self._trainable([*encoders, *decoder]),
            "discriminator": self._trainable(judges),
            "features": self._trainable(features),
        }

    def _add_twins(self, visible: list[Any], infrared: list[Any]) -> list[int]:
        if not self.paired:
            return self._add([*visible, *infrared])
        start = len(self.leaves)
        for two in zip(visible, infrared, strict=True):
            self.of_variable.update({id(variable): len(self.leaves) for variable in two})
            self.leaves.append(Leaf(two))
        return list(range(start, len(self.leaves)))

    def _add(self, variables: list[Any]) -> list[int]:
        start = len(self.leaves)
        for variable in variables:
            self.of_variable[id(variable)] = len(self.leaves)
            self.leaves.append(Leaf((variable,)))
        return list(range(start, len(self.leaves)))

    def _trainable(self, places: Iterable[int]) -> list[int]:
        return [place for place in places if self.leaves[place].variables[0].trainable]


class Values:
    """The arrays of leaves by place, and which of them were read and which moved since they were taken."""

    def __init__(self, arrays: dict[int, Tensor]) -> None:
        self.arrays = dict(arrays)
        self.read: set[int] = set()
        self.moved: set[int] = set()

    def take(self, place: int) -> Tensor:
        """An array, which counts as read."""
        self.read.add(place)
        return self.arrays[place]

    def move(self, place: int, value: Tensor) -> None:
        """Puts another array in the place."""
        self.moved.add(place)
        self.arrays[place] = value

    def where_moved(self) -> dict[int, Tensor]:
        """The arrays that moved."""
        return {place: self.arrays[place] for place in sorted(self.moved)}


class Reading(keras.StatelessScope):  # type: ignore[misc]
    """Inside, Keras' variables read and move the present values instead of their own."""

    def __init__(self, of_variable: dict[int, int], values: Values) -> None:
        super().__init__(initialize_variables=False)
        self._of_variable, self.values = of_variable, values

    def get_current_value(self, variable: Any) -> Tensor | None:
        place = self._of_variable.get(id(variable))
        return None if place is None else self.values.take(place)

    def add_update(self, update: tuple[Any, Tensor]) -> None:
        variable, value = update
        self.values.move(self._of_variable[id(variable)], value)

    @contextmanager
    def at(self, values: Values) -> Iterator[Values]:
        """Other values for a while."""
        before, self.values = self.values, values
        try:
            yield values
        finally:
            self.values = before


def of_one(places: Places, network: Any) -> dict[int, int]:
    """Where the variables of a visible network stand, to be read as they are inside `JaxEngine.both`."""
    return {id(variable): places.of_variable[id(variable)] for variable in network.variables}
