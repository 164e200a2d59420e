"""A configuration made real: the data and the model that every command works on."""

import ctypes
import os
from contextlib import suppress
from typing import NamedTuple
from weakref import WeakKeyDictionary

import keras
import tensorflow as tf

from hicmd_tf.config import Config
from hicmd_tf.data.batches import BatchPlanner
from hicmd_tf.data.datasets import evaluated, load, published
from hicmd_tf.data.samples import DataSplits
from hicmd_tf.data.searches import refuse_hidden
from hicmd_tf.engines.tensorflow.devices import make_strategy
from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.method.descriptor import Descriptor
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.method.networks.pretrained import read_resnet
from hicmd_tf.method.precision import FULL_PRECISION, computing_in
from hicmd_tf.retrieval.baselines import Figures
from hicmd_tf.training.optimisers import make_optimisers

MALLOC_ARENA_MAX, MALLOC_MMAP_THRESHOLD = -8, -3  # M_.. of malloc.h
LARGE = 2**17  # bytes from which memory is taken from the system piece by piece

_COPIES: WeakKeyDictionary[HiCMD, Descriptor] = WeakKeyDictionary()


class Experiment(NamedTuple):
    """data: pictures by split. planner: what each iteration sees. model: built and compiled, with initial weights.
    unlearned: figures of what needs no learning, where an earlier run on the same pictures has them."""

    data: DataSplits
    planner: BatchPlanner
    model: HiCMD
    unlearned: dict[str, Figures] | None = None


class InitialState:
    """What a new model and its optimisers hold, to begin another run with the same graphs: its initial weights, random
    states and empty moments."""

    def __init__(self, model: HiCMD) -> None:
        self._values = [(variable, variable.numpy()) for variable in model.state.values()]

    def restore(self) -> None:
        """Puts it back."""
        for variable, value in self._values:
            variable.assign(value)


def prepare(config: Config) -> Experiment:
    """Sets threads and seeds, loads the data and builds the model, to be trained on the devices that the configuration
    names, otherwise on one. Raises UserError as its parts do."""
    set_up_tensorflow(config)
    read_resnet(config.networks.resnet_weights)  # what can't be had is reported now, not after data sets are drawn
    # A strategy of several workers can only be made before TensorFlow's first operation.
    strategy = make_strategy(config)
    data = load(config.data)
    # Pictures that can't be used, and people who can't be looked up, are named now, not after hours of training.
    samples = evaluated(config, data)
    for search in published(config.data, samples):
        refuse_hidden(samples, search)
    planner = BatchPlanner(data.train, config.batch, config.data.height, config.data.width, config.seed)
    keras.utils.set_random_seed(config.seed)
    with strategy.scope():
        with computing_in(config.training.precision):
            networks = build_networks(config.networks, len(planner.classes))
        model = HiCMD(networks, config)
        model.compile(make_optimisers(config.optimisers))
    return Experiment(data, planner, model)


def descriptor_in_full_precision(model: HiCMD) -> Descriptor:
    """The model's descriptor, or if it computes in mixed precision a copy that does not: a run's figures then are those
    of what is loaded, exported and evaluated later. A model has one copy, so that its graphs last."""
    config = model.settings
    if config.training.precision == FULL_PRECISION:
        return model.descriptor
    if model not in _COPIES:
        networks = build_networks(config.networks, model.features.head.sizes["classes"], restored=True)
        _COPIES[model] = Descriptor(networks)
    _COPIES[model].set_weights(model.descriptor.get_weights())
    return _COPIES[model]


def set_up_tensorflow(config: Config) -> None:
    """Threads, determinism and heap, which TensorFlow takes only before its first operation; and silence about graphs
    that are made for every model and size of a batch."""
    training = config.training
    tf.get_logger().setLevel("ERROR")
    if training.memory == "low":
        _give_memory_back()
    if tf.config.threading.get_intra_op_parallelism_threads() != training.intra_op_threads:
        _set_threads(training.intra_op_threads, training.inter_op_threads)
    if training.deterministic:
        tf.config.experimental.enable_op_determinism()


def _give_memory_back() -> None:
    """A tensor's memory goes back to the system when it is free, and all threads take from one heap: by default oneDNN
    and glibc keep what they once had in pieces that nothing else fits into. Other C libraries have no such settings."""
    os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(MALLOC_ARENA_MAX, 1)
        libc.mallopt(MALLOC_MMAP_THRESHOLD, LARGE)


def _set_threads(intra_op: int, inter_op: int) -> None:
    try:
        tf.config.threading.set_intra_op_parallelism_threads(intra_op)
        tf.config.threading.set_inter_op_parallelism_threads(inter_op)
    except RuntimeError:  # TensorFlow runs already, as in a notebook: its threads stay as they are
        return
