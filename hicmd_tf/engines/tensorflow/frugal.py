"""Networks that run in turns and keep nothing in between: less memory for more arithmetic (`training.memory`).

A gradient needs what the networks computed on their way. Here only what went in and what came out is kept; the gradient
computes the rest again, for one job at a time (Chen et al., 2016, "Training deep nets with sublinear memory cost").
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from hicmd_tf.notation import Tensor

# A function that TensorFlow does not merge into its caller gives all its memory back when it returns.
APART = {"_noinline": True}

Job = tuple[Tensor, ...]


def held_back(results: Sequence[Tensor | None], tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors, available only once the results are: what led to those has left the memory before more is made."""
    with tf.control_dependencies([result for result in results if result is not None]):
        return [tf.identity(tensor) for tensor in tensors]


class InTurns:
    """Runs a network on one job after another, and its gradient likewise.

    network: takes a job's tensors; returns one tensor, or a structure of them. variables: those that it learns. again:
    the network without side effects, for the gradient; None: it has none.
    """

    def __init__(
        self, network: Callable[..., Any], variables: Sequence[keras.Variable], again: Callable[..., Any] | None = None
    ) -> None:
        self._variables = [variable.value for variable in variables]
        self._again = again or network
        self._forward = tf.function(network, experimental_attributes=APART)
        self._backward = tf.function(partial(self._gradients), experimental_attributes=APART)

    def __call__(self, jobs: Sequence[Job]) -> list[Any]:
        """The network's result of every job, in their order."""
        size = len(jobs[0])
        structure: list[Any] = []

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def run(*inputs: Tensor) -> tuple[list[Tensor], Callable[..., Any]]:
            turns = [inputs[start : start + size] for start in range(0, len(inputs), size)]
            outputs: list[list[Tensor]] = []
            for turn in turns:
                found = self._forward(*held_back(outputs[-1] if outputs else [], turn))
                structure[:] = [found]
                outputs.append(tf.nest.flatten(found))

            def gradients(*upstream: Tensor, variables: Sequence[Any] = ()) -> Any:
                return self._all_gradients(turns, _cut(upstream, len(turns)), variables)

            return [tensor for found in outputs for tensor in found], gradients

        flat = run(*(tensor for job in jobs for tensor in job))
        return [tf.nest.pack_sequence_as(structure[0], part) for part in _cut(flat, len(jobs))]

    def _all_gradients(
        self, turns: Sequence[Job], upstream: Sequence[Sequence[Tensor]], variables: Sequence[Any]
    ) -> tuple[list[Tensor], list[Tensor | None]]:
        """Gradients with respect to every job's tensors, and those with respect to the variables, added up."""
        of_inputs: list[Tensor] = []
        sums: list[Tensor] = []
        found: list[Tensor] = []
        for turn, arrived in zip(turns, upstream, strict=True):
            found, of_variables = self._backward(held_back(found, turn), list(arrived))
            of_inputs += found
            sums = [total + new for total, new in zip(sums, of_variables, strict=True)] if sums else of_variables
        by_variable = {variable.ref(): total for variable, total in zip(self._variables, sums, strict=True)}
        return of_inputs, [by_variable.get(variable.ref()) for variable in variables]

    def _gradients(self, inputs: list[Tensor], upstream: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = tf.nest.flatten(self._again(*inputs))
        zero = tf.UnconnectedGradients.ZERO
        found = tape.gradient(outputs, [*inputs, *self._variables], upstream, unconnected_gradients=zero)
        return found[: len(inputs)], found[len(inputs) :]


def _cut(tensors: Sequence[Tensor], parts: int) -> list[list[Tensor]]:
    """A flat list as so many equal ones."""
    size = len(tensors) // parts
    return [list(tensors[start : start + size]) for start in range(0, len(tensors), size)]
