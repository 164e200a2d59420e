"""The engine of this process: the one place that chooses, by Keras' backend (KERAS_BACKEND).

Learner: the model that an engine differentiates. Training: iterations of it. Workers: processes and devices of a run.
LastGood: a state to be given back. devices: those of a configuration, as a context to build networks in. device_in_use:
these in words. drawbacks: lines about cards that can't be used. card_memory: what the fullest card had in use at the
peak. hardware: what rounding depends on. PACKAGES: distributions that compute. set_up: threads, determinism, memory,
what float32 means. describing: a descriptor as a function of NumPy arrays, compiled.
compiled: a function of tensors that reads variables, compiled.
"""

from typing import TYPE_CHECKING

import keras

from hicmd_tf.engines.cluster import cluster
from hicmd_tf.errors import UserError

BACKEND = keras.backend.backend()

if TYPE_CHECKING or BACKEND == "tensorflow":
    from hicmd_tf.engines.tensorflow import PACKAGES
    from hicmd_tf.engines.tensorflow.describing import compiled, describing
    from hicmd_tf.engines.tensorflow.devices import Workers, card_memory, device_in_use, devices, drawbacks, hardware
    from hicmd_tf.engines.tensorflow.last_good import LastGood
    from hicmd_tf.engines.tensorflow.learner import Learner
    from hicmd_tf.engines.tensorflow.set_up import set_up
    from hicmd_tf.engines.tensorflow.training import Training
elif BACKEND == "jax":
    from hicmd_tf.engines.jax import PACKAGES
    from hicmd_tf.engines.jax.compiling import compiled
    from hicmd_tf.engines.jax.describing import describing
    from hicmd_tf.engines.jax.devices import Workers, card_memory, device_in_use, devices, drawbacks, hardware
    from hicmd_tf.engines.jax.learner import Learner
    from hicmd_tf.engines.jax.set_up import set_up
    from hicmd_tf.engines.jax.training import LastGood, Training
else:
    raise UserError(
        f"Keras computes with {BACKEND}: engines are for tensorflow and jax: unset KERAS_BACKEND, and see --engine"
    )

__all__ = [
    "BACKEND",
    "PACKAGES",
    "LastGood",
    "Learner",
    "Training",
    "Workers",
    "card_memory",
    "cluster",
    "compiled",
    "describing",
    "device_in_use",
    "devices",
    "drawbacks",
    "hardware",
    "set_up",
]
