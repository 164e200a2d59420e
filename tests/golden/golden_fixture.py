"""What the stored values are values of, full-size inference and everything on reduced networks; makes them:
PYTHONPATH=.:tests/golden:tests/method python tests/golden/golden_fixture.py

They are our own float64 results, for weights and pictures of `golden_recipe.py`. They stand for the released
implementation's because the same code gives its values (`test_golden_inference.py`, `test_golden_training.py`, which
need ../shared/golden): so run those first (make test-golden) and make these only from code that passes.

full.npz: the full-size networks in inference mode. reduced.npz: losses, rows of HFL, gradient norms, two iterations and
batch norm statistics of networks with every kind of block, narrower.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from golden_recipe import pictures, weights
from golden_run import (
    REDUCED,
    batch,
    inference,
    model_with,
    networks_with,
    precision,
    released_config,
    train,
)

from hicmd_tf.convert.keys import Place
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


def full_inference() -> dict[str, Any]:
    """Every output of the networks of the released sizes in float64, thinned out."""
    images = {m: pictures(name, 2, *FULL_SIZE) for m, name in ((VISIBLE, "x_a"), (INFRARED, "x_b"))}
    with precision("float64"):
        outputs = inference(networks_with(released_config(*FULL_SIZE), FULL_CLASSES, weights), images)
    return {name: np.asarray(array).ravel()[::THINNED] for name, array in outputs.items()}


def reduced(floatx: str, iterations: int = 2, **how: Any) -> dict[str, Any]:
    """Losses, rows of HFL, gradient norms and some iterations of the reduced networks, by name. how: what the engine
    may be told."""
    config = released_config(*SIZE, REDUCED)
    draw = partial(pictures, count=2, height=SIZE[0], width=SIZE[1])
    with precision(floatx):
        model = model_with(networks_with(config, CLASSES, weights), config, **how)
        trained = train(model, batch(draw, IDENTITIES), STATISTICS, iterations)
    results: dict[str, Any] = {f"loss/{name}": value for name, value in trained.losses.items()}
    results |= {f"hfl/{name}": value for name, value in trained.rows.items()}
    results |= {f"gradnorm/{place}": value for place, value in trained.norms.items()}
    for number, values in enumerate(trained.steps, start=1):
        results |= {f"step{number}/{name}": value for name, value in values.items()}
    return results


def write(name: str, arrays: dict[str, Any]) -> None:
    """Arrays in float32, single numbers as they are."""
    stored: dict[str, Any] = {
        key: np.asarray(value, np.float32) if np.ndim(value) else np.asarray(value) for key, value in arrays.items()
    }
    np.savez_compressed(Path(__file__).with_name(f"{name}.npz"), **stored)


if __name__ == "__main__":
    write("full", full_inference())
    write("reduced", reduced("float64"))
