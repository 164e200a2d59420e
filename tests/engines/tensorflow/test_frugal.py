"""Training with little memory: the same numbers, computed in turns."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from one_iteration import SMALLEST, make_batch, make_model

from hicmd_tf.config import Config, with_values
from hicmd_tf.data.batches import REAL
from hicmd_tf.engines.tensorflow.frugal import InTurns
from hicmd_tf.method.precision import computing_in


def test_results_and_gradients_of_jobs_in_turns_are_those_of_the_jobs_at_once() -> None:
    layer = keras.layers.Dense(3, activation="tanh")
    layer.build((None, 4))
    turns = InTurns(lambda x, y: (layer(x * y), y + 1), layer.trainable_variables)
    rng = np.random.default_rng(0)
    jobs = [(tf.constant(rng.normal(size=(2, 4))), tf.constant(rng.normal(size=(2, 4)))) for _ in range(3)]
    jobs = tf.nest.map_structure(lambda x: tf.cast(x, "float32"), jobs)

    @tf.function
    def run(in_turns: bool):
        with tf.GradientTape() as tape:
            tape.watch(jobs)
            found = turns(jobs) if in_turns else [(layer(x * y), y + 1) for x, y in jobs]
            total = sum((i + 1) * tf.reduce_sum(a**2) + tf.reduce_sum(b**3) for i, (a, b) in enumerate(found))
        return found, tape.gradient(total, [jobs, [v.value for v in layer.trainable_variables]])

    for got, expected in zip(tf.nest.flatten(run(True)), tf.nest.flatten(run(False)), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_iterations_have_the_same_losses_and_statistics(smoke_config: Config) -> None:
    config = with_values(smoke_config, SMALLEST)
    with computing_in("float64"):
        batch = make_batch(config)
        batch = {name: tf.cast(x, "float64") if name in REAL else x for name, x in batch.items()}
        normal, low = (make_model(config, {"training.memory": memory}) for memory in ("normal", "low"))
        logs = [[model.train_step(batch) for _ in range(2)] for model in (normal, low)]

    for expected, got in zip(*logs, strict=True):
        for name, value in expected.items():
            assert float(got[name]) == pytest.approx(float(value), rel=1e-6), name
    moving, others = ([v for v in model.networks.generator.weights if "moving" in v.path] for model in (normal, low))
    assert len(moving) > 20
    for statistic, other in zip(moving, others, strict=True):
        np.testing.assert_allclose(other, statistic, rtol=1e-5, atol=1e-6, err_msg=statistic.path)
