"""The batches on which both libraries compute: random and degenerate ones. NumPy only, for both environments use it."""

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]

MARGIN = 0.3


class TripletCase(NamedTuple):
    """features (R, D), numbers that float32 holds exactly, and labels (R,)."""

    features: Array
    labels: Array


def feature_maps() -> dict[str, tuple[Array, Array]]:
    """By name: images (B, H, W, C) for instance norm, and the gradient that comes back from behind it."""
    rng = np.random.default_rng(1)
    image = rng.normal(3, 5, (1, 6, 5, 3))
    maps = {
        "random": rng.normal(size=(4, 8, 6, 5)),
        "far from zero": rng.normal(1e3, 1e-1, (2, 8, 6, 5)),
        "one image": image,
        "identical images": np.repeat(image, 3, axis=0),
        "constant channels": np.broadcast_to(rng.normal(size=(2, 1, 1, 3)), (2, 4, 4, 3)).copy(),
        "all zero": np.zeros((2, 4, 4, 3)),
        "one pixel": rng.normal(size=(2, 1, 1, 3)),
        "one bright pixel": np.eye(1, 36).reshape(1, 6, 6, 1) * 1e4,
    }
    return {name: (x, rng.normal(size=x.shape)) for name, x in maps.items()}


def triplet_batches() -> dict[str, TripletCase]:
    """By name. Degenerate ones have whole numbers, so that both libraries' distances are exact."""
    rng = np.random.default_rng(2)
    whole = rng.integers(-4, 5, (8, 6)).astype(np.float64)
    pairs = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    batches = {
        f"random {i}": TripletCase(rng.normal(size=(24, 16)).astype(np.float32), rng.integers(0, 6, 24))
        for i in range(5)
    }
    return batches | {
        "whole numbers": TripletCase(whole, pairs),
        "no positives": TripletCase(whole, np.arange(8)),
        "two rows of two people": TripletCase(whole[:2], np.array([0, 1])),
        "one identity": TripletCase(whole, np.zeros(8, np.int64)),
        "one row": TripletCase(whole[:1], np.array([0])),
        "duplicates": TripletCase(np.repeat(whole[:4], 2, axis=0), pairs),
        "duplicates of others": TripletCase(np.tile(whole[:4], (2, 1)), pairs),
        "all equal": TripletCase(np.ones((8, 6)), pairs),
        "all zero": TripletCase(np.zeros((8, 6)), pairs),
    }
