"""Hi-CMD (Choi et al., CVPR 2020) in TensorFlow 2 / Keras: matching people between visible and infrared cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hicmd_tf.method.networks import fast
from hicmd_tf.startup import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from hicmd_tf.interface import Model

__all__ = ["load"]
__version__ = "0.1.0"

prepare()
fast.SOURCES["tensorflow"] = "hicmd_tf.engines.tensorflow.kernels"


def load(run_folder: str | Path) -> Model:
    """The trained model of a run folder, with the verbs encode, decode, embed and discriminate.

    run_folder: made by hicmd fit or hicmd convert. Raises `hicmd_tf.errors.UserError` when it holds no whole run.
    """
    from hicmd_tf import interface  # here: importing hicmd_tf must not import TensorFlow

    return interface.load(run_folder)
