"""Functions that read Keras' variables, compiled."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import keras


def compiled(function: Callable[..., Any], variables: Sequence[keras.Variable]) -> Callable[..., Any]:
    """A function of tensors that reads variables, compiled once for each shape of its arguments."""

    @jax.jit
    def run(values: list[Any], *arguments: Any) -> Any:
        with keras.StatelessScope(list(zip(variables, values, strict=True))):
            return function(*arguments)

    return lambda *arguments: run([here(variable.value) for variable in variables], *arguments)


def here(value: Any) -> Any:
    """An array that every device of a mesh has whole, as the first one of this process has it: what one process
    computes beside the iterations is for one device."""
    return value if len(value.sharding.device_set) == 1 else value.addressable_data(0)
