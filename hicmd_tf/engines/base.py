"""The interface of an engine, which differentiates, orders and compiles for the method (imports no TensorFlow, no JAX).

Functions that an engine is given take tensors and read the Keras variables of the networks that they call; running
statistics and random states may move in them. So an engine can record them (TensorFlow's tapes) or make them pure
(`keras.StatelessScope`). Trees are nested tuples, lists and dictionaries of tensors.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from hicmd_tf.notation import Modality, Part, Tensor

Tree = Any
Gradients = list[Tensor | None]
"""Of all weights of a part in the engine's order, those of HFL in the order of its trainable variables; None where
there is none."""


class Optimisers(Protocol):
    """The optimisers that `training.optimisers` makes."""

    def by_part(self) -> dict[Part, Any]:
        """Each optimiser by what it trains."""

    def adopt(self, config: Any) -> None:
        """Takes the learning rates of another configuration; steps and moments stay."""


class Differentiated(NamedTuple):
    """value: of a function. aux: what else it returned. of_parts: gradients of the value by part. of_inputs: those with
    respect to the inputs, in their structure."""

    value: Tensor
    aux: Any
    of_parts: dict[Part, Gradients]
    of_inputs: Tree


class Failed(NamedTuple):
    """An iteration that gave non-finite numbers. losses: by name. spoilt: paths of the weights and running statistics
    that it would have made non-finite, or so large (1e19) that their squares are."""

    losses: dict[str, float]
    spoilt: list[str]


class Advanced(NamedTuple):
    """losses: of each iteration that was made, by name. failed: the one after them, if it failed."""

    losses: list[dict[str, float]]
    failed: Failed | None = None


class Training(Protocol):
    """Iterations of a model from a step on, on batches that are made ahead. Between two calls the model's state is that
    after the last iteration that went well."""

    def advance(self, most: int) -> Advanced:
        """Makes from 1 to `most` iterations, as many as suit the engine, or fewer where one fails. Raises UserError
        when another worker is gone, or a picture can't be read any more."""

    def anyone(self, wants: bool) -> bool:
        """Whether any worker wants something. Every one of them must ask at the same time."""


class Engine(Protocol):
    """The verbs of `method.schedule`."""

    @property
    def replicas(self) -> int:
        """Devices that compute the iteration together, each on its share of the pictures."""

    @property
    def together(self) -> bool:
        """Whether the schedule computes as much as it can at once, which takes the fewest operations, and not one thing
        after the other, which takes the least memory."""

    def both(
        self,
        networks: Mapping[Modality, Any],
        call: Callable[..., Tree],
        inputs: Mapping[Modality, tuple[Tree, ...]],
    ) -> dict[Modality, Tree]:
        """The same function of equal networks of one or both modalities, each called on its own inputs, all of one
        shape: `call(networks[m], *inputs[m])`."""

    def pullback(self, function: Callable[[], Tree], part: Part) -> tuple[Tree, Callable[[Tree], Gradients]]:
        """A function's result, and its pullback: from the gradient with respect to the result, a tree of the same
        structure in which None means 0, to the gradient with respect to a part. It is to be called once."""

    def value_and_grad(
        self, function: Callable[..., tuple[Tensor, Any]], parts: Sequence[Part], inputs: Sequence[Tree] = ()
    ) -> Differentiated:
        """Calls a function, which returns a scalar and something else, on its inputs, and differentiates the scalar."""

    def input_gradients(
        self, functions: Sequence[Callable[[Tree], Tree]], x: Tree
    ) -> tuple[Sequence[Tree], Sequence[Tree]]:
        """Results of functions for x, and for each of them the gradient of the sum of all its entries with respect to
        x. May stand inside a function that is differentiated itself."""

    def apply(self, part: Part, gradients: Gradients) -> None:
        """One step of a part's optimiser; whatever is computed later sees the new weights."""

    def in_order(self, first: Sequence[Tensor | None], then: Tree) -> Tree:
        """The tree `then`, available only once `first` is: what led to that has left the memory before more is made."""

    def in_turns(
        self,
        name: Hashable,
        network: Callable[..., Tree],
        variables: Sequence[Any],
        jobs: Sequence[tuple[Tensor, ...]],
        again: Callable[..., Tree] | None = None,
    ) -> list[Tree]:
        """A network's results of one job's tensors after another, computed again for the gradient instead of kept.

        name: of the network. variables: those that it learns. again: the network without side effects; None: it has
        none.
        """

    def gather(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Each tensor of every replica, (N, ...) in the replicas' order; its gradient is that of the own part."""

    def mean(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """The replicas' mean of every value."""
