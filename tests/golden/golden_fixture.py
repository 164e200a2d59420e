"""What the stored values are values of: full-size inference, and everything on reduced networks."""

from functools import partial
from typing import Any

import numpy as np
from golden_recipe import pictures, weights
from golden_run import (
    REDUCED,
    batch,
    first_pass,
    inference,
    model_with,
    networks_with,
    precision,
    released_config,
    steps,
)

from hicmd_tf.convert.keys import Place
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.notation import INFRARED, VISIBLE

FULL_CLASSES, FULL_SIZE = 206, (64, 48)
CLASSES, SIZE = 24, (96, 64)
THINNED = 61  # of the full-size networks' arrays every so many-th number is kept
IDENTITIES = {
    "identities": [3, 14],
    "visible_negative_identities": [7, 20],
    "infrared_negative_identities": [5, 11],
}
NORMS = (
    ("gen", "a", "enc_att.model.bn1"),
    ("gen", "b", "enc_att.model.layer4.1.bn3"),
    ("id", "backbone_pro", "model.layer3.1.bn3"),
    ("id", "id", "classifier.add_block.1"),
)
STATISTICS = {
    Place(file, part, f"{key}.{kind}") for file, part, key in NORMS for kind in ("running_mean", "running_var")
}


def full_weights() -> dict[Place, Any]:
    """A checkpoint of the released sizes."""
    return weights(build_networks(released_config(*FULL_SIZE).networks, FULL_CLASSES))


def full_inference(floatx: str, drawn: dict[Place, Any]) -> dict[str, Any]:
    """Every output of the full-size networks with the weights of `full_weights`, thinned out."""
    with precision(floatx):
        networks = networks_with(released_config(*FULL_SIZE), FULL_CLASSES, drawn)
        outputs = inference(
            networks, {VISIBLE: pictures("x_a", 2, *FULL_SIZE), INFRARED: pictures("x_b", 2, *FULL_SIZE)}
        )
    return {name: np.asarray(array).ravel()[::THINNED] for name, array in outputs.items()}


def reduced(floatx: str) -> dict[str, Any]:
    """Losses, rows of HFL, gradient norms and three iterations of the reduced networks, by name."""
    config = released_config(*SIZE, REDUCED)
    draw = partial(pictures, count=2, height=SIZE[0], width=SIZE[1])
    with precision(floatx):
        model = model_with(networks_with(config, CLASSES, weights), config)
        before = model.get_weights()
        given = batch(draw, IDENTITIES)
        losses, rows, norms = first_pass(model, given)
        model.set_weights(before)
        iterations = steps(model, given, STATISTICS)
    results: dict[str, Any] = {f"loss/{name}": value for name, value in losses.items()}
    results |= {f"hfl/{name}": value for name, value in rows.items()}
    results |= {f"gradnorm/{place}": value for place, value in norms.items()}
    for number, values in enumerate(iterations, start=1):
        results |= {f"step{number}/{name}": value for name, value in values.items()}
    return results
