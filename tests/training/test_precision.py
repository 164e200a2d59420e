"""Mixed precision: large maps in bfloat16, everything that sums, divides or remembers in float32."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from one_iteration import CLASSES, gradients_of_a_step, make_batch

from hicmd_tf.config import load
from hicmd_tf.method.descriptor import Descriptor
from hicmd_tf.method.generation import draw, learn_to_encode
from hicmd_tf.method.identification import identify, inputs
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.method.networks.norms import instance_norm
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE
from hicmd_tf.training.experiment import build_model, descriptor_in_full_precision

PLUMBING = Path(__file__).parents[1] / "fixtures" / "plumbing.yaml"


class Model:
    """A model of one precision, and what a step gave it."""

    def __init__(self, precision: str) -> None:
        self.config = load(PLUMBING, {"training.precision": precision})
        self.model = build_model(self.config, CLASSES)
        self.initial = self.model.get_weights()
        self.logs: dict[str, Any] = {}
        step = self.model.train_step
        self.model.train_step = lambda batch: self.logs.update(step(batch)) or self.logs
        self.batch = make_batch(self.config)
        self.gradients = [g for g in gradients_of_a_step(self.model, self.batch).values() if g is not None]


@pytest.fixture(scope="module")
def mixed() -> Model:
    return Model("mixed_bfloat16")


@pytest.fixture(scope="module")
def single() -> Model:
    return Model("float32")


def test_what_is_built_afterwards_is_as_before(mixed: Model) -> None:
    assert keras.config.dtype_policy().name == "float32"
    assert build_networks(mixed.config.networks, CLASSES).generator.compute_dtype == "float32"


def test_weights_statistics_and_optimisers_are_float32(mixed: Model) -> None:
    assert {v.dtype for v in mixed.model.state.values() if "int" not in v.dtype} == {"float32"}


def test_large_maps_are_bfloat16_and_what_losses_see_is_float32(mixed: Model) -> None:
    method, batch = mixed.model.method(), mixed.batch
    codes, decoded = draw(method, {m: batch[m] for m in MODALITIES})
    head = identify(method, batch, learn_to_encode(method, inputs(method, batch, decoded.cross))).head
    assert {codes[m].prototype.dtype for m in MODALITIES} == {tf.bfloat16}
    assert {codes[m].attributes.dtype for m in MODALITIES} == {tf.float32}
    assert mixed.model.networks.discriminators[VISIBLE](batch[VISIBLE])[0].dtype == tf.bfloat16
    assert {picture.dtype for kind in decoded for picture in kind.values()} == {tf.float32}
    assert {part.dtype for part in head} == {tf.float32}
    assert {keras.backend.standardize_dtype(value.dtype) for value in mixed.logs.values()} == {"float32"}


def test_losses_and_gradients_are_those_of_float32_but_for_rounding(single: Model, mixed: Model) -> None:
    for exact, rounded in zip(single.initial, mixed.initial, strict=True):
        np.testing.assert_array_equal(exact, rounded)
    for name in ("same", "cross", "cycle", "discriminator_total", "cross_entropy", "generation_total"):
        assert float(mixed.logs[name]) == pytest.approx(float(single.logs[name]), rel=0.03), name
    for of in (single, mixed):
        assert {g.dtype for g in of.gradients} == {np.dtype("float32")}
        assert all(np.isfinite(g).all() for g in of.gradients)


def test_norms_keep_statistics_that_bfloat16_can_not_hold() -> None:
    """Means of 300: bfloat16 numbers are 2 apart there, and so would a sum of thousands be wrong."""
    x = np.random.default_rng(0).normal(300, 40, (2, 64, 32, 8))
    rounded = tf.cast(tf.constant(x), "bfloat16")
    wide = tf.cast(rounded, "float64").numpy()
    expected = (wide - wide.mean((1, 2), keepdims=True)) / np.sqrt(wide.var((1, 2), keepdims=True) + 1e-5)
    got = instance_norm(rounded)
    assert got.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(got, "float64"), expected, rtol=2**-8, atol=2e-3)


def test_descriptors_of_a_mixed_model_are_those_of_its_weights_in_float32(single: Model, mixed: Model) -> None:
    networks, pictures = build_networks(mixed.config.networks, CLASSES), mixed.batch[INFRARED]
    networks.generator.set_weights(mixed.model.networks.generator.get_weights())
    networks.features.set_weights(mixed.model.networks.features.get_weights())
    expected = Descriptor(networks).describe(INFRARED, pictures)
    found = descriptor_in_full_precision(mixed.model).describe(INFRARED, pictures)
    np.testing.assert_array_equal(found, expected)
    assert np.abs(mixed.model.descriptor.describe(INFRARED, pictures) - expected).max() > 0
    assert descriptor_in_full_precision(single.model) is single.model.descriptor
