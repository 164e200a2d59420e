"""The engine of this process: the one place that chooses, by Keras' backend (KERAS_BACKEND).

HiCMD: the Keras model, with `train_step`, that an engine differentiates. Workers: the processes and devices of a run.
LastGood: what goes back when a step fails. devices: those of a configuration, as a context to build networks in.
device_in_use: these in words. drawbacks: lines about cards that can't be used. hardware: what rounding depends on.
PACKAGES: distributions that compute. lost_workers: a context that reports them. set_up: threads, determinism, memory,
what float32 means. describing: a descriptor as a function of NumPy arrays, compiled.
"""

import keras

from hicmd_tf.errors import UserError

if keras.backend.backend() != "tensorflow":
    raise UserError(f"KERAS_BACKEND is {keras.backend.backend()}: training has an engine for tensorflow only; unset it")

from hicmd_tf.engines.tensorflow import PACKAGES
from hicmd_tf.engines.tensorflow.describing import describing
from hicmd_tf.engines.tensorflow.devices import Workers, cluster, device_in_use, devices, drawbacks, hardware
from hicmd_tf.engines.tensorflow.devices import reporting_lost_workers as lost_workers
from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.engines.tensorflow.last_good import LastGood
from hicmd_tf.engines.tensorflow.set_up import set_up

__all__ = [
    "PACKAGES",
    "HiCMD",
    "LastGood",
    "Workers",
    "cluster",
    "describing",
    "device_in_use",
    "devices",
    "drawbacks",
    "hardware",
    "lost_workers",
    "set_up",
]
