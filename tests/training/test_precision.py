"""Mixed precision: large maps in bfloat16, everything that sums, divides or remembers in float32."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from one_iteration import CLASSES, gradients_of_a_step, make_batch

from hicmd_tf.config import Config
from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.method.descriptor import Descriptor
from hicmd_tf.method.generation import draw
from hicmd_tf.method.identification import identify
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.method.networks.norms import instance_norm
from hicmd_tf.method.precision import computing_in
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE
from hicmd_tf.training.experiment import descriptor_in_full_precision
from hicmd_tf.training.optimisers import make_optimisers


def model_in(precision: str, config: Config) -> HiCMD:
    config = replace(config, training=replace(config.training, precision=precision))
    keras.utils.set_random_seed(3)
    with computing_in(precision):
        networks = build_networks(config.networks, CLASSES)
    model = HiCMD(networks, config)
    model.compile(make_optimisers(config.optimisers))
    return model


@pytest.fixture
def mixed(smoke_config: Config) -> HiCMD:
    return model_in("mixed_bfloat16", smoke_config)


def test_what_is_built_afterwards_is_as_before(smoke_config: Config, mixed: HiCMD) -> None:
    assert keras.config.dtype_policy().name == "float32"
    assert build_networks(smoke_config.networks, CLASSES).generator.compute_dtype == "float32"


def test_weights_statistics_and_optimisers_are_float32(mixed: HiCMD) -> None:
    optimisers = mixed.optimizer, mixed.discriminator_optimiser, mixed.feature_optimiser
    weights = [
        *mixed.generator.weights,
        *mixed.features.weights,
        *mixed.visible_discriminator.weights,
        *mixed.infrared_discriminator.weights,
    ]
    moments = [v for optimiser in optimisers for v in optimiser.variables if "int" not in v.dtype]

    assert {v.dtype for v in weights} == {"float32"}
    assert len(moments) > len(weights) and {v.dtype for v in moments} == {"float32"}


def test_large_maps_are_bfloat16_and_what_losses_see_is_float32(smoke_config: Config, mixed: HiCMD) -> None:
    batch = make_batch(smoke_config)
    codes, decoded = draw(mixed.method(), {m: batch[m] for m in MODALITIES})
    head = identify(mixed.method(), batch, decoded.cross).head

    assert {codes[m].prototype.dtype for m in MODALITIES} == {tf.bfloat16}
    assert {codes[m].attributes.dtype for m in MODALITIES} == {tf.float32}
    assert mixed.visible_discriminator(batch[VISIBLE])[0].dtype == tf.bfloat16
    assert {picture.dtype for kind in decoded for picture in kind.values()} == {tf.float32}
    assert {part.dtype for part in head} == {tf.float32}
    logs = mixed.train_step(batch)
    assert {keras.backend.standardize_dtype(value.dtype) for value in logs.values()} == {"float32"}


def test_losses_and_gradients_are_those_of_float32_but_for_rounding(smoke_config: Config) -> None:
    batch = make_batch(smoke_config)
    single, mixed = (model_in(precision, smoke_config) for precision in ("float32", "mixed_bfloat16"))
    for exact, rounded in zip(single.trainable_variables, mixed.trainable_variables, strict=True):
        np.testing.assert_array_equal(exact, rounded)

    logs, rounded_logs = single.train_step(batch), mixed.train_step(batch)
    for name in ("same", "cross", "cycle", "discriminator_total", "cross_entropy", "generation_total"):
        assert float(rounded_logs[name]) == pytest.approx(float(logs[name]), rel=0.03), name
    for caught in (gradients_of_a_step(mixed, batch), gradients_of_a_step(single, batch)):
        assert {g.dtype for g in caught.values() if g is not None} == {np.dtype("float32")}
        assert all(np.isfinite(g).all() for g in caught.values() if g is not None)


def test_norms_keep_statistics_that_bfloat16_can_not_hold() -> None:
    """Means of 300: bfloat16 numbers are 2 apart there, and so would a sum of thousands be wrong."""
    x = np.random.default_rng(0).normal(300, 40, (2, 64, 32, 8))
    rounded = tf.cast(tf.constant(x), "bfloat16")
    wide = tf.cast(rounded, "float64").numpy()
    expected = (wide - wide.mean((1, 2), keepdims=True)) / np.sqrt(wide.var((1, 2), keepdims=True) + 1e-5)

    got = instance_norm(rounded)

    assert got.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(got, "float64"), expected, rtol=2**-8, atol=2e-3)


def test_descriptors_of_a_mixed_model_are_those_of_its_weights_in_float32(smoke_config: Config, mixed: HiCMD) -> None:
    pictures = make_batch(smoke_config)[INFRARED]
    networks = build_networks(smoke_config.networks, CLASSES)
    networks.generator.set_weights(mixed.generator.get_weights())
    networks.features.set_weights(mixed.features.get_weights())
    expected = Descriptor(networks).describe(INFRARED, pictures)

    np.testing.assert_array_equal(descriptor_in_full_precision(mixed).describe(INFRARED, pictures), expected)
    assert np.abs(mixed.descriptor.describe(INFRARED, pictures) - expected).max() > 0


def test_a_model_in_full_precision_is_evaluated_as_it_is(smoke_config: Config) -> None:
    model = model_in("float32", smoke_config)

    assert descriptor_in_full_precision(model) is model.descriptor
