"""TensorFlow's answers to `engines.base.Engine`: a gradient tape for everything that is differentiated."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from hicmd_tf.engines.base import Differentiated, Gradients, Optimisers, Tree
from hicmd_tf.engines.tensorflow import replicas
from hicmd_tf.engines.tensorflow.frugal import InTurns, held_back
from hicmd_tf.notation import Modality, Part, Tensor


class TensorFlowEngine:
    """See `Engine`. optimisers: of the parts, built on these variables. strategy: of the devices."""

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self.strategy = strategy
        self.optimisers: dict[Part, tuple[Any, Sequence[Any]]] = {}
        self._turns: dict[Hashable, InTurns] = {}

    def take(self, optimisers: Optimisers, variables: Mapping[Part, Sequence[Any]]) -> None:
        """Builds the optimisers, so that checkpoints carry their whole state from the first step on."""
        for part, optimiser in optimisers.by_part().items():
            optimiser.build(variables[part])
            self.optimisers[part] = optimiser, variables[part]

    @property
    def replicas(self) -> int:
        return replicas.count()

    together = False

    def both(
        self,
        networks: Mapping[Modality, Any],
        call: Callable[..., Tree],
        inputs: Mapping[Modality, tuple[Tree, ...]],
    ) -> dict[Modality, Tree]:
        return {m: call(network, *inputs[m]) for m, network in networks.items()}

    def pullback(self, function: Callable[[], Tree], part: Part) -> tuple[Tree, Callable[[Tree], Gradients]]:
        with tf.GradientTape() as tape:
            results = function()

        def pull(gradients: Tree) -> Gradients:
            pairs = zip(tf.nest.flatten(results), tf.nest.flatten(gradients), strict=True)
            targets, found = zip(*((of, given) for of, given in pairs if given is not None), strict=True)
            return tape.gradient(targets, list(self.optimisers[part][1]), output_gradients=found)

        return results, pull

    def value_and_grad(
        self, function: Callable[..., tuple[Tensor, Any]], parts: Sequence[Part], inputs: Sequence[Tree] = ()
    ) -> Differentiated:
        with tf.GradientTape() as tape:
            tape.watch(tf.nest.flatten(inputs))
            value, aux = function(*inputs)
        variables = {part: list(self.optimisers[part][1]) for part in parts}
        return Differentiated(value, aux, *tape.gradient(value, (variables, tuple(inputs))))

    def input_gradients(
        self, functions: Sequence[Callable[[Tree], Tree]], x: Tree
    ) -> tuple[Sequence[Tree], Sequence[Tree]]:
        found, slopes = [], []
        for function in functions:
            with tf.GradientTape() as tape:
                tape.watch(x)
                found.append(function(x))
                total = tf.add_n([tf.reduce_sum(entry) for entry in tf.nest.flatten(found[-1])])
            slopes.append(tape.gradient(total, x))
        return found, slopes

    def apply(self, part: Part, gradients: Gradients) -> None:
        optimiser, variables = self.optimisers[part]
        optimiser.apply(gradients, variables)

    def in_order(self, first: Sequence[Tensor | None], then: Tree) -> Tree:
        return tf.nest.pack_sequence_as(then, held_back(first, tf.nest.flatten(then)))

    def in_turns(
        self,
        name: Hashable,
        network: Callable[..., Tree],
        variables: Sequence[Any],
        jobs: Sequence[tuple[Tensor, ...]],
        again: Callable[..., Tree] | None = None,
    ) -> list[Tree]:
        if name not in self._turns:
            self._turns[name] = InTurns(network, variables, again)
        return self._turns[name](jobs)

    def gather(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        return replicas.gather(tensors)

    def mean(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        return replicas.mean(values)

    def compile(self, step: Callable[[Tree], Tree]) -> Callable[[Tree], Tree]:
        """A whole iteration on every replica, traced once."""
        return tf.function(lambda batch: self.strategy.run(step, args=(batch,)), autograph=False)
