"""Random erasing boxes (method 2.5, item 1). They are applied in the training step, to HFL's inputs only."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SMALLEST_AREA, LARGEST_AREA = 0.02, 0.4  # of the picture
LOWEST_ASPECT = 0.3  # height / width, up to its inverse
TRIES = 100


def erasing_boxes(rng: np.random.Generator, count: int, height: int, width: int, probability: float) -> Array:
    """A box for each of `count` pictures: (count, 4) int32 of top, left, height, width; height 0 says not erased."""
    chosen = rng.random(count) < probability
    boxes = [_box(rng, height, width) if erased else (0, 0, 0, 0) for erased in chosen]
    return np.array(boxes, np.int32).reshape(count, 4)


def _box(rng: np.random.Generator, height: int, width: int) -> tuple[int, int, int, int]:
    """A box strictly smaller than the picture both ways; none when all tries are too large."""
    for _ in range(TRIES):
        area = rng.uniform(SMALLEST_AREA, LARGEST_AREA) * height * width
        aspect = rng.uniform(LOWEST_ASPECT, 1 / LOWEST_ASPECT)
        h, w = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if h < height and w < width:
            return int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1)), h, w
    return 0, 0, 0, 0
