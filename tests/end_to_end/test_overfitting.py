"""The tiny model can learn: on one repeated batch it names the identities and reconstructs better and better."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from hicmd_tf.config import load
from hicmd_tf.data.batches import BatchPlanner, batches
from hicmd_tf.data.samples import Samples
from hicmd_tf.drawn_people.encode import encode
from hicmd_tf.training.experiment import build_model

TINY = Path(__file__).parents[2] / "configs" / "tiny.yaml"
STEPS = 150


def draw_samples(config, identities: int) -> Samples:
    rows = [(identity, modality, 0) for identity in range(identities) for modality in ("visible", "infrared")]
    size = config.data.height, config.data.width
    pictures = [encode(config.data.synthetic, size, row)["image"] for row in rows]
    return Samples(
        pictures,
        [f"{identity}/{modality}" for identity, modality, _ in rows],
        np.array([identity for identity, _, _ in rows]),
        np.array([modality == "infrared" for _, modality, _ in rows]),
        np.zeros(len(rows), np.int64),
    )


@pytest.mark.slow
def test_one_repeated_batch_is_learned(graphs: None) -> None:
    config = load(TINY, {"batch.negatives": 4, "batch.flip": 0.0, "batch.erasing": 0.0, "seed": 1})
    samples = draw_samples(config, config.batch.pairs + 2 * config.batch.negatives)
    planner = BatchPlanner(samples, config.batch, config.data.height, config.data.width, seed=1)
    model = build_model(config, len(planner.classes))
    batch = next(iter(batches(planner, samples, 0, 1)))
    step = tf.function(model.train_step)
    logs = [{name: float(value) for name, value in step(batch).items()} for _ in range(STEPS)]

    def last(name: str) -> float:
        return float(np.mean([entry[name] for entry in logs[-10:]]))

    assert last("accuracy") > 0.97
    assert last("cross_entropy") < 0.2
    for name in ("same", "cross", "cycle"):
        assert last(name) < 0.4 * logs[0][name], name
