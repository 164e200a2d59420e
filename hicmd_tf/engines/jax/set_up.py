"""Settings that JAX needs before it computes."""

import importlib.util
import os

import jax

from hicmd_tf.config import Config

DETERMINISTIC = "--xla_gpu_deterministic_ops=true"


def set_up(config: Config) -> None:
    """Sets what float32 means and whether kernels give the same bits every time, and hides GPUs from TensorFlow, which
    only reads data here and would take a part of a card's memory."""
    if not config.training.tf32:
        jax.config.update("jax_default_matmul_precision", "highest")
    flags = os.environ.get("XLA_FLAGS", "")
    if config.training.deterministic and DETERMINISTIC not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {DETERMINISTIC}".strip()  # read when JAX first computes
    if importlib.util.find_spec("tensorflow") is not None:
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
        tf.config.set_visible_devices([], "GPU")
