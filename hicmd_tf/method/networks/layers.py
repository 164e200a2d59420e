"""What every network is made with: registration, sizes, initial weights, LeakyReLU."""

from typing import Any, Literal

import keras
from keras import ops

from hicmd_tf.method.networks.fast import replaceable
from hicmd_tf.notation import Tensor

LEAKY_SLOPE = 0.3  # everywhere outside the ResNets (released; the paper is silent)

Shape = tuple[int | None, ...]


def serialisable(cls: type) -> type:
    """Registers a class so that Keras can rebuild it from its `get_config`."""
    return keras.saving.register_keras_serializable("hicmd_tf")(cls)


class Sized:
    """A layer or model whose configuration is `sizes`: the arguments that it was made with, by name."""

    sizes: dict[str, Any]

    def get_config(self) -> dict[str, Any]:
        """Keras' configuration, and the sizes."""
        return {**super().get_config(), **self.sizes}  # type: ignore[misc]


def kaiming(mode: Literal["fan_in", "fan_out"] = "fan_in") -> keras.initializers.Initializer:
    """Kaiming normal weights for rectifiers, N(0, 2 / fan)."""
    return keras.initializers.VarianceScaling(2.0, mode, "untruncated_normal")


@replaceable
def leaky_relu(x: Tensor) -> Tensor:
    """max(x, 0.3 x)."""
    return ops.maximum(x, LEAKY_SLOPE * x)
