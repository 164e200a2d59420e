"""Weights and pictures without files: every tensor is drawn from its own name, so that each machine has the same."""

import hashlib
from typing import Any

import numpy as np

from hicmd_tf.convert.keys import Place, shape_there, unused, used
from hicmd_tf.method.networks.build import Networks

Array = np.ndarray[Any, Any]


def generator(name: str) -> np.random.Generator:
    """Random numbers that belong to a name."""
    return np.random.default_rng(np.frombuffer(hashlib.sha256(name.encode()).digest(), np.uint32))


def released_shapes(networks: Networks) -> dict[Place, tuple[int, ...]]:
    """The shape of every tensor of a released checkpoint, used or not."""
    return {place: shape_there(variable) for place, variable in used(networks).items()} | unused(networks)


def weights(networks: Networks) -> dict[Place, Array]:
    """A whole released checkpoint of the networks' sizes, float32.

    Blocks add little to their inputs and statistics are near those of normal activations, so that numbers neither fade
    nor grow through fifty layers.
    """
    return {place: _tensor(place, shape) for place, shape in released_shapes(networks).items()}


def pictures(name: str, count: int, height: int, width: int) -> Array:
    """(count, height, width, 3) float32, normalised: slow waves of colour, and noise."""
    rng = generator(f"pictures/{name}")
    rows, columns = np.arange(height)[:, None, None] / height, np.arange(width)[:, None] / width
    tilt, turn, phase = (rng.uniform(-1, 1, (count, 1, 1, 3)) for _ in range(3))
    waves = np.sin(9 * tilt * rows + 7 * turn * columns + 3 * phase)
    return np.asarray(waves + 0.3 * rng.standard_normal((count, height, width, 3)), np.float32)


def _tensor(place: Place, shape: tuple[int, ...]) -> Array:
    one_decoder = place._replace(part="a") if place.key.startswith("dec.") else place
    rng, kind = generator(str(one_decoder)), place.key.rpartition(".")[2]
    if kind == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if kind == "multp":
        return np.full(shape, 0.42, np.float32)
    if len(shape) > 1:
        fan = np.prod(shape[1:])
        value = np.sqrt(_gain(place.key) / fan) * rng.standard_normal(shape)
    elif kind == "running_var":
        value = rng.uniform(0.7, 1.6, shape)
    elif kind in ("weight", "gamma"):
        value = (0.4 if "bn3" in place.key else 1.0) * rng.uniform(0.7, 1.3, shape)
    else:  # biases, shifts and running means
        value = 0.1 * rng.standard_normal(shape) + (1.0 if _makes_scales(place.key) else 0.0)
    return np.asarray(value, np.float32)


def _gain(key: str) -> float:
    """Variance of a weight times its fan-in."""
    if key.startswith("cnns.") and key.split(".")[2] == "9":
        return 0.05  # scores between fake and real
    return 1.0 if "mlp_" in key or "classifier" in key else 2.0


def _makes_scales(key: str) -> bool:
    return "mlp_w" in key and ".model.2." in key
