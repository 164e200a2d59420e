"""Pictures of people of whom everything is known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hicmd_tf.data.samples import Samples

People = Callable[..., Samples]


@pytest.fixture(scope="session")
def drawn() -> People:
    """Makes so many people with `each` pictures in either modality; infrared light is brighter by far."""

    def make(people: int = 20, each: int = 4, seed: int = 0, **changes: Any) -> Samples:
        rng, count = np.random.default_rng(seed), 2 * people * each
        infrared = np.tile(np.repeat([False, True], each), people)
        known = {
            "identities": np.repeat(np.arange(people), 2 * each),
            "infrared": infrared,
            "cameras": infrared.astype(np.int64),
            "factors": {
                "yaw": rng.uniform(-1, 1, count),
                "gait_phase": rng.uniform(0, 2 * np.pi, count),
                "illumination": rng.uniform(0.2, 0.8, count) + infrared,
            },
        }
        return Samples([b""] * count, [str(i) for i in range(count)], **{**known, **changes})

    return make
