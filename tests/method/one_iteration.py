"""One iteration at the smallest size: its model, its batch, and the gradients that it would hand to the optimisers."""

from typing import Any

import keras
import numpy as np
from keras import ops, tree
from watching import iterate, watched

from hicmd_tf.config import Config, with_values
from hicmd_tf.engines.chosen import Learner
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.notation import MODALITIES
from hicmd_tf.training.optimisers import make_optimisers

CLASSES = 7
SMALLEST: dict[str, Any] = {  # every kind of layer once
    "networks.prototype_encoder.residual_blocks": 1,
    "networks.prototype_encoder.dilations": [1, 1, 1],
    "networks.attribute_encoder.depths": [1, 1, 1, 1],
    "networks.feature_learning.depths": [1, 1],
    "networks.decoder.residual_blocks": 1,
    "networks.discriminator.scales": 1,
    "networks.discriminator.residual_blocks": 0,
}


def make_model(config: Config, changes: dict[str, Any] | None = None, **how: Any) -> Any:
    """The model of a configuration with changed settings; always with the same initial weights. how: what the engine
    may be told."""
    config = with_values(config, changes or {})
    keras.utils.set_random_seed(3)
    model = Learner(build_networks(config.networks, CLASSES), config, **how)
    model.compile(make_optimisers(config))
    return model


def make_batch(config: Config, seed: int = 5) -> dict[str, Any]:
    """Noise, and no picture erased."""
    rng = np.random.default_rng(seed)
    pairs, negatives = config.batch.pairs, config.batch.negatives
    counts = {m: pairs for m in MODALITIES} | {f"{m}_negatives": negatives for m in MODALITIES}
    shape = (config.data.height, config.data.width, 3)
    batch: dict[str, Any] = {name: rng.normal(size=(count, *shape)).astype("float32") for name, count in counts.items()}
    batch["identities"] = np.arange(pairs, dtype="int32")
    for position, m in enumerate(MODALITIES):
        batch[f"{m}_negative_identities"] = pairs + position * negatives + np.arange(negatives, dtype="int32")
    erased = counts | {f"generated_{m}": pairs for m in MODALITIES}
    batch["erasing"] = {name: np.zeros((count, 4), "int32") for name, count in erased.items()}
    return tree.map_structure(ops.convert_to_tensor, batch)


def gradients_of_a_step(model: Any, batch: dict[str, Any]) -> dict[int, np.ndarray | None]:
    """What each variable's optimiser would be given, by the variable's id; nothing is updated."""
    with watched(model, learning=False) as seen:
        iterate(model, batch)
    return {key: None if g is None else ops.convert_to_numpy(g) for key, g in seen.gradients.items()}
