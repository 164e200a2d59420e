"""JAX's answers to `engines.base.Engine`: functions of the state are made pure, and differentiated by `jax.vjp`.

A function that the schedule hands over reads and moves Keras' variables. Here these stand for the arrays of the
iteration under way (`state.Reading`): to differentiate, the function is called anew with a part's arrays as arguments,
and what it wrote comes back beside its result.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from hicmd_tf.engines.base import Differentiated, Gradients, Tree
from hicmd_tf.engines.jax import replicas
from hicmd_tf.engines.jax.optimisers import Moments, Optimiser
from hicmd_tf.engines.jax.state import Leaves, Reading, Values
from hicmd_tf.notation import MODALITIES, VISIBLE, Modality, Part, Tensor

Weights = dict[Part, list[Tensor]]


class JaxEngine:
    """See `Engine`. leaves: of all variables. together: as there; true where leaves are of twins, so that `both` is
    given both modalities. optimisers: of the parts."""

    def __init__(self, leaves: Leaves, together: bool, optimisers: dict[Part, Optimiser]) -> None:
        self.leaves, self.together, self.optimisers = leaves, together, optimisers
        self._reading = Reading(leaves, Values({}))

    def run(
        self, step: Callable[[], Tree], arrays: list[Tensor], moments: dict[Part, Moments], numbers: dict[Part, Any]
    ) -> tuple[list[Tensor], dict[Part, Moments], Tree]:
        """A whole iteration as a function of the leaves' arrays and the optimisers' moments; returns new ones, and what
        it returns. numbers: of each optimiser in this iteration."""
        self._moments, self._numbers = dict(moments), numbers
        with self._reading, self._reading.at(Values(dict(enumerate(arrays)))) as values:
            results = step()
        return [values.arrays[index] for index in range(len(arrays))], self._moments, results

    @property
    def replicas(self) -> int:
        return replicas.count()

    def both(
        self,
        networks: Mapping[Modality, Any],
        call: Callable[..., Tree],
        inputs: Mapping[Modality, tuple[Tree, ...]],
    ) -> dict[Modality, Tree]:
        if not self.leaves.twins:
            return {m: call(network, *inputs[m]) for m, network in networks.items()}
        together = jax.tree.map(lambda *of_each: jnp.concatenate(of_each, -1), *(inputs[m] for m in MODALITIES))
        with self._reading.of_twins():
            results = call(networks[VISIBLE], *together)
        halves = jax.tree.map(lambda of_both: jnp.split(of_both, 2, -1), results)
        return dict(zip(MODALITIES, jax.tree.transpose(jax.tree.structure(results), None, halves), strict=True))

    def pullback(self, function: Callable[[], Tree], part: Part) -> tuple[Tree, Callable[[Tree], Gradients]]:
        pure, weights, read = self._pure(function, [part])
        results, back, written = jax.vjp(pure, weights, has_aux=True)
        self._write(written)

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
            (value, aux), written = pure(weights, *inputs)
            return value, (aux, written)

        value, back, (aux, written) = jax.vjp(scalar, weights, tuple(inputs), has_aux=True)
        self._write(written)
        of_weights, of_inputs = back(jnp.ones_like(value))
        return Differentiated(value, aux, self._gradients(of_weights, read), of_inputs)

    def input_gradients(
        self, functions: Sequence[Callable[[Tree], Tree]], x: Tree
    ) -> tuple[Sequence[Tree], Sequence[Tree]]:
        found, slopes = [], []
        for function in functions:
            pure, _, _ = self._pure(function, [])
            results, back, written = jax.vjp(lambda x: pure({}, x), x, has_aux=True)  # noqa: B023
            self._write(written)
            found.append(results)
            slopes.append(back(jax.tree.map(jnp.ones_like, results))[0])
        return found, slopes

    def _pure(
        self, function: Callable[..., Tree], parts: Sequence[Part]
    ) -> tuple[Callable[..., tuple[Tree, dict[int, Tensor]]], Weights, set[int]]:
        """A function of the parts' weights and its arguments, that gives its results and what it wrote; the weights;
        and a set of the leaves that it has read once it was called."""
        before = self._reading.values
        weights: Weights = {part: [before.arrays[index] for index in self.leaves.of_part[part]] for part in parts}
        name = getattr(function, "func", function).__name__ if parts else "inputs"  # profiles and bench.graph show it
        read: set[int] = set()

        def pure(weights: Weights, *inputs: Tree) -> tuple[Tree, dict[int, Tensor]]:
            own = {
                index: w for part in weights for index, w in zip(self.leaves.of_part[part], weights[part], strict=True)
            }
            with self._reading.at(Values({**before.arrays, **own})) as values, jax.named_scope(name):
                results = function(*inputs)
            read.update(values.were_read)
            before.were_read |= values.were_read
            return results, values.written()

        return pure, weights, read

    def _write(self, written: dict[int, Tensor]) -> None:
        for index, array in written.items():
            self._reading.values.write(index, array)

    def _gradients(self, of_weights: Weights, read: set[int]) -> dict[Part, Gradients]:
        """None where a weight was not read: JAX gives zeros, which weight decay would be added to."""
        return {
            part: [g if index in read else None for index, g in zip(self.leaves.of_part[part], found, strict=True)]
            for part, found in of_weights.items()
        }

    def apply(self, part: Part, gradients: Gradients) -> None:
        values, indices = self._reading.values, self.leaves.of_part[part]
        weights = [values.arrays[index] for index in indices]
        summed = replicas.total([g for g in gradients if g is not None])
        left = iter(summed)
        given = [None if g is None else next(left) for g in gradients]
        with jax.named_scope("optimiser"):
            step = self.optimisers[part].step
            new, self._moments[part] = step(weights, given, self._moments[part], self._numbers[part])
        for index, weight in zip(indices, new, strict=True):
            values.write(index, weight)

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
        indices = [self.leaves.index_of[id(variable)] for variable in variables]
        return [
            result
            for _, alike in groupby(jobs, key=lambda job: [(tensor.shape, tensor.dtype) for tensor in job])
            for result in self._in_turns(network, indices, list(alike))
        ]

    def _in_turns(
        self, network: Callable[..., Tree], indices: Sequence[int], jobs: Sequence[tuple[Tensor, ...]]
    ) -> list[Tree]:
        """`in_turns` of jobs of equal shapes: as a loop, so that the network is compiled once, not once a job."""
        before = self._reading.values

        def once(weights: list[Tensor], moving: dict[int, Tensor], *job: Tensor) -> tuple[Tree, dict[int, Tensor]]:
            own = dict(zip(indices, weights, strict=True))
            with self._reading.at(Values({**before.arrays, **own, **moving})) as values:
                results = network(*job)
            before.were_read |= values.were_read
            return results, values.written()

        weights = [before.arrays[index] for index in indices]
        moves = jax.eval_shape(once, weights, {}, *jobs[0])[1]  # what a job moves goes from one to the next

        def turn(moving: dict[int, Tensor], job: tuple[Tensor, ...]) -> tuple[dict[int, Tensor], Tree]:
            results, written = jax.checkpoint(once, prevent_cse=False)(weights, moving, *job)
            return written, results

        stacked = tuple(jnp.stack(of_each) for of_each in zip(*jobs, strict=True))
        written, results = lax.scan(turn, {index: before.arrays[index] for index in moves}, stacked)
        self._write(written)
        return [jax.tree.map(lambda of_all: of_all[i], results) for i in range(len(jobs))]  # noqa: B023

    def gather(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        return replicas.gather(tensors)

    def mean(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        return replicas.mean(values)
