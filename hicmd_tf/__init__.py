"""Hi-CMD (Choi et al., CVPR 2020) in TensorFlow 2 / Keras: matching people between visible and infrared cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hicmd_tf.method.networks import fast
from hicmd_tf.startup import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from hicmd_tf.interface import SearchingModel

__all__ = ["load"]
__version__ = "0.1.0"

prepare()
fast.SOURCES["tensorflow"] = "hicmd_tf.engines.tensorflow.kernels"
fast.SOURCES["jax"] = "hicmd_tf.engines.jax.kernels"


def load(run_folder: str | Path) -> SearchingModel:
    """The trained model of a run folder, with the verbs encode, decode, swap, embed, search, dissect and discriminate.

    Example:
        model = hicmd_tf.load("runs/tiny")
        descriptors = model.embed(pictures, "visible")  # pictures: uint8 (B, H, W, 3) of any size, or paths

    Args:
        run_folder: made by hicmd fit or hicmd convert.

    Raises:
        UserError: it holds no whole run (`hicmd_tf.errors`).
    """
    from hicmd_tf.interface import load  # here: importing hicmd_tf must not import TensorFlow

    return load(run_folder)
