"""JAX's answers to `engines.base.Engine`: functions of the state are made pure, and differentiated by `jax.vjp`.

A function that the schedule hands over reads and moves Keras' variables. Here these stand for the arrays of the
iteration under way (`state.Reading`): to differentiate, the function is called anew with a part's arrays as arguments,
and what it moved comes back beside its result.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from hicmd_tf.engines.base import Differentiated, Gradients, Part, Tree
from hicmd_tf.engines.jax import replicas
from hicmd_tf.engines.jax.optimisers import Moments, Optimiser
from hicmd_tf.engines.jax.state import Places, Reading, Values
from hicmd_tf.notation import MODALITIES, VISIBLE, Modality, Tensor

Weights = dict[Part, list[Tensor]]


class JaxEngine:
    """See `Engine`. places: where each variable stands. together: as there; true where places are paired, so that
    `both` is given both modalities. optimisers: of the parts."""

    def __init__(self, places: Places, together: bool, optimisers: dict[Part, Optimiser]) -> None:
        self.places, self.together, self.optimisers = places, together, optimisers
        self._reading = Reading(places, Values({}))

    def run(
        self, step: Callable[[], Tree], arrays: list[Tensor], moments: dict[Part, Moments], numbers: dict[Part, Any]
    ) -> tuple[list[Tensor], dict[Part, Moments], Tree]:
        """A whole iteration as a function of the leaves' arrays and the optimisers' moments; returns new ones, and what
        it returns. numbers: of each optimiser in this iteration."""
        self._moments, self._numbers = dict(moments), numbers
        with self._reading, self._reading.at(Values(dict(enumerate(arrays)))) as values:
            results = step()
        return [values.arrays[place] for place in range(len(arrays))], self._moments, results

    @property
    def replicas(self) -> int:
        return replicas.count()

    def both(
        self,
        networks: Mapping[Modality, Any],
        call: Callable[..., Tree],
        inputs: Mapping[Modality, tuple[Tree, ...]],
    ) -> dict[Modality, Tree]:
        if not self.places.paired:
            return {m: call(network, *inputs[m]) for m, network in networks.items()}
        together = jax.tree.map(lambda *of_each: jnp.concatenate(of_each, -1), *(inputs[m] for m in MODALITIES))
        with self._reading.of_twins():
            results = call(networks[VISIBLE], *together)
        halves = jax.tree.map(lambda of_both: jnp.split(of_both, 2, -1), results)
        return dict(zip(MODALITIES, jax.tree.transpose(jax.tree.structure(results), None, halves), strict=True))

    def pullback(self, function: Callable[[], Tree], part: Part) -> tuple[Tree, Callable[[Tree], Gradients]]:
        pure, weights, read = self._pure(function, [part])
        results, back, moved = jax.vjp(pure, weights, has_aux=True)
        self._take(moved)

        def pull(gradients: Tree) -> Gradients:
            none = jax.tree.map(jnp.zeros_like, results)
            given = jax.tree.map(lambda zero, one: zero if one is None else one, none, gradients)
            return self._gradients(back(given)[0], read)[part]

        return results, pull

    def value_and_grad(
        self, function: Callable[..., tuple[Tensor, Any]], parts: Sequence[Part], inputs: Sequence[Tree] = ()
    ) -> Differentiated:
        pure, weights, read = self._pure(function, parts)

        def scalar(weights: Weights, inputs: Sequence[Tree]) -> tuple[Tensor, Any]:
            (value, aux), moved = pure(weights, *inputs)
            return value, (aux, moved)

        value, back, (aux, moved) = jax.vjp(scalar, weights, tuple(inputs), has_aux=True)
        self._take(moved)
        of_weights, of_inputs = back(jnp.ones_like(value))
        return Differentiated(value, aux, self._gradients(of_weights, read), of_inputs)

    def input_gradients(
        self, functions: Sequence[Callable[[Tree], Tree]], x: Tree
    ) -> tuple[Sequence[Tree], Sequence[Tree]]:
        found, slopes = [], []
        for function in functions:
            pure, _, _ = self._pure(function, [])
            results, back, moved = jax.vjp(lambda x: pure({}, x), x, has_aux=True)  # noqa: B023
            self._take(moved)
            found.append(results)
            slopes.append(back(jax.tree.map(jnp.ones_like, results))[0])
        return found, slopes

    def _pure(
        self, function: Callable[..., Tree], parts: Sequence[Part]
    ) -> tuple[Callable[..., tuple[Tree, dict[int, Tensor]]], Weights, set[int]]:
        """A function of the parts' weights and its arguments, that gives its results and what it moved; the weights;
        and a set of the places that it has read once it was called."""
        before = self._reading.values
        weights: Weights = {part: [before.arrays[place] for place in self.places.parts[part]] for part in parts}
        name = getattr(function, "func", function).__name__ if parts else "inputs"  # profiles and bench.graph show it
        read: set[int] = set()

        def pure(weights: Weights, *inputs: Tree) -> tuple[Tree, dict[int, Tensor]]:
            own = {
                place: w for part in weights for place, w in zip(self.places.parts[part], weights[part], strict=True)
            }
            with self._reading.at(Values({**before.arrays, **own})) as values, jax.named_scope(name):
                results = function(*inputs)
            read.update(values.read)
            before.read |= values.read
            return results, values.where_moved()

        return pure, weights, read

    def _take(self, moved: dict[int, Tensor]) -> None:
        for place, array in moved.items():
            self._reading.values.move(place, array)

    def _gradients(self, of_weights: Weights, read: set[int]) -> dict[Part, Gradients]:
        """None where a weight was not read: JAX gives zeros, which weight decay would be added to."""
        return {
            part: [g if place in read else None for place, g in zip(self.places.parts[part], found, strict=True)]
            for part, found in of_weights.items()
        }

    def apply(self, part: Part, gradients: Gradients) -> None:
        values, places = self._reading.values, self.places.parts[part]
        weights = [values.arrays[place] for place in places]
        summed = replicas.total([g for g in gradients if g is not None])
        left = iter(summed)
        given = [None if g is None else next(left) for g in gradients]
        with jax.named_scope("optimiser"):
            step = self.optimisers[part].step
            new, self._moments[part] = step(weights, given, self._moments[part], self._numbers[part])
        for place, weight in zip(places, new, strict=True):
            values.move(place, weight)

    def in_order(self, first: Sequence[Tensor | None], then: Tree) -> Tree:
        return then  # XLA orders by itself

    def in_turns(
        self,
        name: Hashable,
        network: Callable[..., Tree],
        variables: Sequence[Any],
        jobs: Sequence[tuple[Tensor, ...]],
        again: Callable[..., Tree] | None = None,
    ) -> list[Tree]:
        places = [self.places.of_variable[id(variable)] for variable in variables]
        return [
            result
            for _, alike in groupby(jobs, key=lambda job: [(tensor.shape, tensor.dtype) for tensor in job])
            for result in self._in_turns(network, places, list(alike))
        ]

    def _in_turns(
        self, network: Callable[..., Tree], places: Sequence[int], jobs: Sequence[tuple[Tensor, ...]]
    ) -> list[Tree]:
        """`in_turns` of jobs of equal shapes: as a loop, so that the network is compiled once, not once a job."""
        before = self._reading.values

        def once(weights: list[Tensor], moving: dict[int, Tensor], *job: Tensor) -> tuple[Tree, dict[int, Tensor]]:
            own = dict(zip(places, weights, strict=True))
            with self._reading.at(Values({**before.arrays, **own, **moving})) as values:
                results = network(*job)
            before.read |= values.read
            return results, values.where_moved()

        weights = [before.arrays[place] for place in places]
        moves = jax.eval_shape(once, weights, {}, *jobs[0])[1]  # what a job moves goes from one to the next

        def turn(moving: dict[int, Tensor], job: tuple[Tensor, ...]) -> tuple[dict[int, Tensor], Tree]:
            results, moved = jax.checkpoint(once, prevent_cse=False)(weights, moving, *job)
            return moved, results

        stacked = tuple(jnp.stack(of_each) for of_each in zip(*jobs, strict=True))
        moved, results = lax.scan(turn, {place: before.arrays[place] for place in moves}, stacked)
        self._take(moved)
        return [jax.tree.map(lambda of_all: of_all[i], results) for i in range(len(jobs))]  # noqa: B023

    def gather(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        return replicas.gather(tensors)

    def mean(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        return replicas.mean(values)
