"""Settings that TensorFlow needs before its first operation. What is for a GPU was never run on one."""

import ctypes
import os
from contextlib import suppress

import tensorflow as tf

from hicmd_tf.config import Config

MALLOC_ARENA_MAX, MALLOC_MMAP_THRESHOLD = -8, -3  # M_.. of malloc.h
LARGE = 2**17  # bytes from which memory is taken from the system piece by piece


def set_up(config: Config) -> None:
    """Threads, memory, determinism and heap, which TensorFlow takes only before its first operation; what float32
    means; and silence about graphs that are made for every model and size of a batch."""
    training = config.training
    tf.get_logger().setLevel("ERROR")
    if training.memory == "low":
        # A tensor's memory goes back to the system when it is free, and all threads take from one heap: by default
        # oneDNN and glibc keep what they once had in pieces that nothing else fits into.
        os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
        with suppress(OSError, AttributeError):  # other C libraries have no such settings
            libc = ctypes.CDLL(None)
            libc.mallopt(MALLOC_ARENA_MAX, 1)
            libc.mallopt(MALLOC_MMAP_THRESHOLD, LARGE)
    with suppress(RuntimeError):  # TensorFlow runs already, as in a notebook: its threads stay as they are
        tf.config.threading.set_intra_op_parallelism_threads(training.intra_op_threads)
        tf.config.threading.set_inter_op_parallelism_threads(training.inter_op_threads)
    for gpu in tf.config.list_physical_devices("GPU"):
        # All memory at once would leave none to other processes. ValueError: the caller has divided it already.
        with suppress(RuntimeError, ValueError):
            tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.experimental.enable_tensor_float_32_execution(training.tf32)
    if training.deterministic:
        tf.config.experimental.enable_op_determinism()
