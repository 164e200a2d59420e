"""Descriptors by graphs that are traced once."""

from typing import Any

import numpy as np

from hicmd_tf.engines.chosen import describing
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE


class Counting:
    """Stands for a descriptor. traced: modalities and shapes of every trace."""

    def __init__(self) -> None:
        self.traced: list[tuple[str, Any]] = []

    def describe(self, modality: str, x: Any) -> Any:
        self.traced.append((modality, x.shape[0]))
        return x[:, 0, 0] * (1 if modality == VISIBLE else -1)


def test_every_model_and_modality_is_traced_for_any_number_of_pictures(graphs: None) -> None:
    models = Counting(), Counting()
    for count in (4, 4, 3, 2, 5):
        x = np.random.default_rng(count).random((count, 2, 1, 3), np.float32)
        for model in models:
            for modality in MODALITIES:
                found = describing(model)(modality, x)  # a new function each time, as evaluations in a run have it
                np.testing.assert_array_equal(found, x[:, 0, 0] * (1 if modality == VISIBLE else -1), strict=True)
    for model in models:
        assert model.traced == [(VISIBLE, 4), (INFRARED, 4), (VISIBLE, None), (INFRARED, None)]
