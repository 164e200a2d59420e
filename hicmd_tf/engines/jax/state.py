"""The state of an iteration: arrays in the place of Keras' variables.

Networks of both modalities are equal, and `JaxEngine.both` calls them as one: with the channels of both side by side,
which convolutions, in two groups, and all norms of single channels keep apart. So each variable of the visible network
and its twin of the infrared one stand as one array along their last axis, that of the channels.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import keras
import numpy as np

from hicmd_tf.chosen_method import AnyNetworks
from hicmd_tf.method.networks.norms import Groups, moved, of_all_devices
from hicmd_tf.notation import Part, Tensor


class Leaf(NamedTuple):
    """A variable; or several, of equal shapes but for their last axis, that stand as one array along it."""

    variables: tuple[keras.Variable, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the leaf's array."""
        first = tuple(self.variables[0].shape)
        return (*first[:-1], sum(self._sizes)) if len(self.variables) > 1 else first

    @property
    def _sizes(self) -> list[int]:
        return [variable.shape[-1] for variable in self.variables]

    def joined(self, values: list[Tensor]) -> Tensor:
        """The leaf's array of its variables' values."""
        return jnp.concatenate(values, -1) if len(values) > 1 else values[0]

    def apart(self, array: Tensor) -> list[Tensor]:
        """The variables' values of the leaf's array."""
        return jnp.split(array, np.cumsum(self._sizes)[:-1].tolist(), -1) if len(self.variables) > 1 else [array]


class Norms(NamedTuple):
    """Norms that take part in the same passes: their running means are one leaf, and their running variances another.

    means: the (visible) norms' variables by their ids, in the leaf's order. indices: of both leaves.
    """

    means: list[int]
    indices: tuple[int, int]


class Leaves:
    """All leaves of the networks' variables, and in which of them each variable stands.

    twins: whether networks of both modalities are called as one, and all norms' running statistics move as one.
    index_of: of a variable's leaf in `all`, by the variable's id, but for running statistics of `norms`, which only
    `Values.take_in` moves. of_part: indices of the weights that each optimiser trains.
    """

    def __init__(self, networks: AnyNetworks, twins: bool) -> None:
        self.twins = twins
        self.all: list[Leaf] = []
        self.index_of: dict[int, int] = {}
        self.norms: list[Norms] = []
        self.of_part: dict[Part, list[int]] = {
            part: self._trainable(itertools.chain(*(self._add_twins(twin) for twin in of_part)))
            for part, of_part in networks.twins().items()
        }

    def _add_twins(self, networks: tuple[Any, ...]) -> list[int]:
        """Of one network, or of two."""
        if self.twins:
            return self._add(list(zip(*(network.variables for network in networks), strict=True)))
        return self._add([(variable,) for network in networks for variable in network.variables])

    def _add(self, variables: list[tuple[Any, ...]]) -> list[int]:
        """The indices of new leaves. Norms among the variables become leaves of their own."""
        start = len(self.all)
        by_name = {name: [v for v in variables if v[0].name == name] for name in ("moving_mean", "moving_variance")}
        if self.twins and by_name["moving_mean"]:
            self.norms.append(Norms([id(v[0]) for v in by_name["moving_mean"]], (start, start + 1)))
            self.all += [Leaf(tuple(itertools.chain(*of_norms))) for of_norms in by_name.values()]
            variables = [v for v in variables if v[0].name not in by_name]
        for of_leaf in variables:
            self.index_of.update({id(variable): len(self.all) for variable in of_leaf})
            self.all.append(Leaf(of_leaf))
        return list(range(start, len(self.all)))

    def _trainable(self, indices: Iterable[int]) -> list[int]:
        return [index for index in indices if self.all[index].variables[0].trainable]


class Noted(NamedTuple):
    """What a norm's running statistics are to take in: see `norms.take_in`."""

    statistics: list[Tensor]
    groups: Groups
    updates: int


class Values:
    """The arrays of leaves by index, and which of them were read and which written since."""

    def __init__(self, arrays: dict[int, Tensor]) -> None:
        self.arrays = dict(arrays)
        self.were_read: set[int] = set()
        self.were_written: set[int] = set()
        self.noted: dict[int, list[Noted]] = defaultdict(list)  # by the id of a norm's running means

    def read(self, index: int) -> Tensor:
        """An array, which counts as read."""
        self.were_read.add(index)
        return self.arrays[index]

    def write(self, index: int, value: Tensor) -> None:
        """Puts another array in its place."""
        self.were_written.add(index)
        self.arrays[index] = value

    def written(self) -> dict[int, Tensor]:
        """The arrays that were written, by index."""
        return {index: self.arrays[index] for index in sorted(self.were_written)}

    def take_in(self, norms: Norms) -> None:
        """Moves the running statistics of norms by what was noted, one pass of all of them after another."""
        for of_norms in zip(*(self.noted.pop(norm, []) for norm in norms.means), strict=True):
            _, groups, updates = of_norms[0]
            pairs = zip(*(noted.statistics for noted in of_norms), strict=True)
            statistics = [jnp.concatenate(of_kind, -1) for of_kind in pairs]  # (G, C of all norms)
            of_all = of_all_devices(statistics, groups) if groups else statistics
            for index, batches in zip(norms.indices, of_all, strict=True):
                self.write(index, moved(self.arrays[index], batches, updates))


class Reading(keras.StatelessScope):  # type: ignore[misc]
    """Inside, Keras' variables read and move the present values instead of their own.

    now: the one that is entered. twins: whether a network stands for those of both modalities (`JaxEngine.both`).
    """

    now: ClassVar["Reading | None"] = None

    def __init__(self, leaves: Leaves, values: Values) -> None:
        super().__init__(initialize_variables=False)
        self._leaves, self.values, self.twins = leaves, values, False
        self._norms = set(itertools.chain(*(norms.means for norms in leaves.norms)))

    def __enter__(self) -> "Reading":
        super().__enter__()
        Reading.now = self
        return self

    def __exit__(self, *error: Any) -> None:
        Reading.now = None
        super().__exit__(*error)

    def get_current_value(self, variable: Any) -> Tensor | None:
        index = self._leaves.index_of.get(id(variable))
        return None if index is None else self.values.read(index)

    def add_update(self, update: tuple[Any, Tensor]) -> None:
        variable, value = update
        self.values.write(self._leaves.index_of[id(variable)], value)

    def present(self, variables: Iterable[Any]) -> list[Tensor]:
        """The present values of variables, in their own type under every policy."""
        return [self.values.read(self._leaves.index_of[id(variable)]) for variable in variables]

    def note(self, means: Any, noted: Noted) -> bool:
        """Notes what a norm with these running means takes in, if it is one of `Norms`; whether it is."""
        if id(means) in self._norms:
            self.values.noted[id(means)].append(noted)
        return id(means) in self._norms

    @contextmanager
    def at(self, values: Values) -> Iterator[Values]:
        """Other values for a while, at whose end running statistics have moved."""
        before, self.values = self.values, values
        try:
            yield values
            for norms in self._leaves.norms:
                values.take_in(norms)
        finally:
            self.values = before

    @contextmanager
    def of_twins(self) -> Iterator[None]:
        """Networks stand for two."""
        self.twins = True
        try:
            yield
        finally:
            self.twins = False
