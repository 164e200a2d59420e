"""One iteration at the smallest size: its batch, and the gradients that it would hand to the optimisers."""

import numpy as np
import tensorflow as tf
from keras import ops

from hicmd_tf.config import Config
from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.notation import MODALITIES

CLASSES = 7


def make_batch(config: Config, seed: int = 5) -> dict:
    rng = np.random.default_rng(seed)
    pairs, negatives = config.batch.pairs, config.batch.negatives
    counts = {
        **{m: pairs for m in MODALITIES},
        **{f"generated_{m}": pairs for m in MODALITIES},
        **{f"{m}_negatives": negatives for m in MODALITIES},
    }
    shape = (config.data.height, config.data.width, 3)
    batch = {
        name: rng.normal(size=(count, *shape)).astype("float32")
        for name, count in counts.items()
        if not name.startswith("generated")
    }
    batch["identities"] = np.arange(pairs, dtype="int32")
    for position, m in enumerate(MODALITIES):
        batch[f"{m}_negative_identities"] = pairs + position * negatives + np.arange(negatives, dtype="int32")
    batch["erasing"] = {name: np.zeros((count, 4), "int32") for name, count in counts.items()}
    return tf.nest.map_structure(tf.constant, batch)


def gradients_of_a_step(model: HiCMD, batch: dict) -> dict[int, np.ndarray | None]:
    """What each variable's optimiser would be given, by the variable's id; nothing is updated."""
    caught: dict[int, np.ndarray | None] = {}

    def catch(gradients, variables):
        caught.update(
            {id(v): None if g is None else ops.convert_to_numpy(g) for g, v in zip(gradients, variables, strict=True)}
        )

    for optimiser in model.optimisers.by_part().values():
        optimiser.apply = catch
    model.train_step(batch)
    return caught
