"""Parts that every network is made with: registration, chains of layers, initial weights, LeakyReLU.

Layers are rebuilt from the arguments that they were made with: Keras keeps them when they are numbers, texts and lists.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import keras
from keras import ops

from hicmd_tf.method.networks.fast import replaceable
from hicmd_tf.notation import Tensor

LEAKY_SLOPE = 0.3  # everywhere outside the ResNets (released; the paper is silent)

Shape = tuple[int | None, ...]


def serialisable(cls: type) -> type:
    """Registers a class so that Keras can rebuild it from its `get_config`."""
    return keras.saving.register_keras_serializable("hicmd_tf")(cls)


class Composed:
    """A model that is made of parts, arguments and attributes of the same name, whose configurations are its own."""

    parts: ClassVar[dict[str, type]]

    def get_config(self) -> dict[str, Any]:
        """Keras' configuration, and those of the parts."""
        return {**super().get_config(), **{name: getattr(self, name).get_config() for name in self.parts}}  # type: ignore[misc]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The model with new parts."""
        return cls(**{**config, **{name: kind.from_config(config[name]) for name, kind in cls.parts.items()}})  # type: ignore[attr-defined]


def build_chain(layers: Iterable[Any], channels: int | None) -> int | None:
    """Builds layers of maps (B, H, W, C), each of which takes the channels that the one before gives; returns the last
    one's channels."""
    for layer in layers:
        layer.build((None, None, None, channels))
        channels = layer.channels
    return channels


def run_chain(layers: Iterable[Any], x: Tensor, **mode: Any) -> Tensor:
    """The output of the layers, applied to x one after another."""
    for layer in layers:
        x = layer(x, **mode)
    return x


@replaceable
def initial(values: keras.initializers.Initializer) -> keras.initializers.Initializer:
    """Initial weights: RandomNormal, RandomUniform, Zeros or `kaiming`'s."""
    return values


def kaiming(mode: Literal["fan_in", "fan_out"] = "fan_in") -> keras.initializers.Initializer:
    """Kaiming normal weights for rectifiers, N(0, 2 / fan)."""
    return initial(keras.initializers.VarianceScaling(2.0, mode, "untruncated_normal"))


def normal(mean: float, deviation: float) -> keras.initializers.Initializer:
    """Weights from a normal distribution."""
    return initial(keras.initializers.RandomNormal(mean, deviation))


@replaceable
def leaky_relu(x: Tensor) -> Tensor:
    """max(x, 0.3 x)."""
    return ops.maximum(x, LEAKY_SLOPE * x)
