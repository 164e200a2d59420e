"""Numbers that may change between two runs of one traced iteration: a search over them then traces only once."""

import dataclasses

import keras
from keras import ops

from hicmd_tf.config.schema import LossConfig
from hicmd_tf.method.terms import WEIGHTS
from hicmd_tf.notation import Tensor

NUMBERS = (*WEIGHTS, "margin")
"""Settings of `LossConfig` that are such numbers: weights of Eq. 10 and the margin of Eq. 9."""


class Number:
    """A float64 scalar that a graph reads each time it runs. Not part of a model's state, so no checkpoint has it.

    JAX has no float64 by default; its engine hands such numbers to the iteration.
    """

    def __init__(self, value: float) -> None:
        self._value = float(value)
        in_graphs = keras.backend.backend() == "tensorflow"
        self._variable = keras.Variable(value, dtype="float64", trainable=False) if in_graphs else None

    def assign(self, value: float) -> None:
        """Another value, from now on."""
        self._value = float(value)
        if self._variable is not None:
            self._variable.assign(value)

    def __call__(self) -> Tensor:
        return ops.convert_to_tensor(self._value if self._variable is None else self._variable)

    def __float__(self) -> float:
        return self._value


class RuntimeNumbers:
    """The `NUMBERS` of a `LossConfig`, which may change."""

    def __init__(self, losses: LossConfig) -> None:
        self._losses = losses
        self._numbers = {name: Number(getattr(losses, name)) for name in NUMBERS}

    def __call__(self) -> dict[str, Tensor]:
        """Tensors by name; to be called inside the graph."""
        return {name: number() for name, number in self._numbers.items()}

    def values(self) -> dict[str, float]:
        """Their present values by name."""
        return {name: float(number) for name, number in self._numbers.items()}

    def assign(self, losses: LossConfig) -> None:
        """Takes the values of other settings. Raises ValueError when they differ in more than `NUMBERS`."""
        values = {name: getattr(losses, name) for name in NUMBERS}
        if dataclasses.replace(self._losses, **values) != losses:
            raise ValueError(f"only {', '.join(NUMBERS)} may change while a graph lives: {self._losses}, {losses}")
        for name, number in self._numbers.items():
            number.assign(values[name])
