"""Training with little memory: the same numbers, computed in turns."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from one_iteration import CLASSES, make_batch

from hicmd_tf.config import Config, with_values
from hicmd_tf.data.batches import REAL
from hicmd_tf.engines.tensorflow.frugal import InTurns
from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.training.optimisers import make_optimisers


def model_with(memory: str, config: Config) -> HiCMD:
    keras.utils.set_random_seed(3)
    config = replace(config, training=replace(config.training, memory=memory))
    model = HiCMD(build_networks(config.networks, CLASSES), config)
    model.compile(make_optimisers(config.optimisers))
    return model


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
    small = {"networks.discriminator.scales": 1, "networks.discriminator.residual_blocks": 0}
    small |= {"networks.prototype_encoder.residual_blocks": 0, "networks.decoder.residual_blocks": 1}
    smoke_config = with_values(smoke_config, small)
    policy, before = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        batch = make_batch(smoke_config)
        batch = {name: tf.cast(x, "float64") if name in REAL else x for name, x in batch.items()}
        models = {memory: model_with(memory, smoke_config) for memory in ("normal", "low")}
        logs = {memory: [model.train_step(batch) for _ in range(2)] for memory, model in models.items()}
    finally:
        keras.config.set_floatx(before)
        keras.config.set_dtype_policy(policy)

    for expected, got in zip(logs["normal"], logs["low"], strict=True):
        for name, value in expected.items():
            assert float(got[name]) == pytest.approx(float(value), rel=1e-6), name
    moving = [v for v in models["normal"].generator.weights if "moving" in v.path]
    others = [v for v in models["low"].generator.weights if "moving" in v.path]
    assert len(moving) > 20
    for statistic, other in zip(moving, others, strict=True):
        np.testing.assert_allclose(other, statistic, rtol=1e-5, atol=1e-6, err_msg=statistic.path)
