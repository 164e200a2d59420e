"""The engine of this process: the one place that chooses, by Keras' backend (KERAS_BACKEND).

HiCMD: the Keras model, with `train_step`, that an engine differentiates. Workers: the processes and devices of a run.
LastGood: what goes back when a step fails. devices: those of a configuration, as a context to build networks in.
lost_workers: a context that reports them. set_up: threads, determinism, heap.
"""

import keras

from hicmd_tf.errors import UserError

if keras.backend.backend() != "tensorflow":
    raise UserError(f"KERAS_BACKEND is {keras.backend.backend()}: training has an engine for tensorflow only; unset it")

from hicmd_tf.engines.tensorflow.devices import Workers, cluster, devices
from hicmd_tf.engines.tensorflow.devices import reporting_lost_workers as lost_workers
from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.engines.tensorflow.last_good import LastGood
from hicmd_tf.engines.tensorflow.set_up import set_up

__all__ = ["HiCMD", "LastGood", "Workers", "cluster", "devices", "lost_workers", "set_up"]
