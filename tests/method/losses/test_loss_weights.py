"""Where terms meet weights: each weight scales its own term, and a wrong set of terms is an error."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from hicmd_tf.config.schema import LossConfig
from hicmd_tf.method.losses.weights import (
    FEATURE_TERMS,
    GENERATION_TERMS,
    discriminator_total,
    feature_total,
    generation_total,
)

WEIGHTS = LossConfig(
    same=2.0,
    cross=3.0,
    cycle=5.0,
    code=7.0,
    kl=11.0,
    adversarial=13.0,
    cross_entropy=17.0,
    triplet=19.0,
    same_style="swapped",
    cycle_attributes="original",
    adversarial_form="least_squares",
    gradient_penalty=0.25,
    kl_form="mean_square",
    triplet_form="cosine",
    margin=0.5,
    triplet_regulariser=1.0,
)
TOTALS = [(generation_total, GENERATION_TERMS), (feature_total, FEATURE_TERMS)]


@pytest.mark.parametrize(("total", "names"), TOTALS)
def test_each_weight_scales_its_own_term(total, names):
    for counted in names:
        terms = {name: tf.constant(1.5 if name == counted else 0.0) for name in names}
        assert float(total(terms, WEIGHTS)) == 1.5 * getattr(WEIGHTS, counted)
    assert float(total(dict.fromkeys(names, tf.constant(1.0)), WEIGHTS)) == sum(getattr(WEIGHTS, n) for n in names)


def test_the_penalty_stands_under_the_adversarial_weight():
    assert float(discriminator_total(tf.constant(2.0), tf.constant(8.0), WEIGHTS)) == 13 * (2 + 0.25 * 8)


@pytest.mark.parametrize(("total", "names"), TOTALS)
def test_a_missing_or_unknown_term_is_named(total, names):
    terms = dict.fromkeys(names, tf.constant(1.0))
    with pytest.raises(ValueError, match=f"missing: \\['{names[0]}'\\], unknown: \\[\\]"):
        total({name: terms[name] for name in names[1:]}, WEIGHTS)
    with pytest.raises(ValueError, match="missing: \\[\\], unknown: \\['identity'\\]"):
        total({**terms, "identity": tf.constant(1.0)}, WEIGHTS)


def test_weights_may_change_while_a_graph_runs():
    weight = tf.Variable(2.0)
    weights = dataclasses.replace(WEIGHTS, triplet=weight)
    total = tf.function(
        lambda: feature_total({"cross_entropy": tf.constant(1.0), "triplet": tf.constant(3.0)}, weights)
    )
    assert float(total()) == 17 + 6
    weight.assign(4.0)
    assert float(total()) == 17 + 12


def test_float64_terms_keep_their_precision_under_any_weight():
    terms = {"cross_entropy": tf.constant(1 / 3, "float64"), "triplet": tf.constant(1 / 7, "float64")}
    expected = 17 / 3 + 19 / 7
    np.testing.assert_allclose(feature_total(terms, WEIGHTS), expected, rtol=1e-15)
    tensors = dataclasses.replace(WEIGHTS, cross_entropy=tf.constant(17.0), triplet=tf.constant(19.0))
    np.testing.assert_allclose(feature_total(terms, tensors), expected, rtol=1e-15)
    assert discriminator_total(terms["triplet"], terms["triplet"], WEIGHTS).dtype == "float64"
