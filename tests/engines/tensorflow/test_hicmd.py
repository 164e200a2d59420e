"""One training iteration: who learns from which loss, in which order, in every form that a configuration can choose."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from one_iteration import CLASSES, gradients_of_a_step, make_batch

from hicmd_tf.config import Config
from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.method.losses.generation import l1
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, other
from hicmd_tf.training.optimisers import make_optimisers


def make_model(config: Config) -> HiCMD:
    keras.utils.set_random_seed(3)
    model = HiCMD(build_networks(config.networks, CLASSES), config)
    model.compile(make_optimisers(config.optimisers))
    return model


def some(gradients: dict, variables: list) -> bool:
    return any(gradients[id(v)] is not None and np.abs(gradients[id(v)]).max() > 0 for v in variables)


def every(gradients: dict, variables: list) -> bool:
    return all(gradients[id(v)] is not None and np.abs(gradients[id(v)]).max() > 0 for v in variables)


def silent_generation(config: Config) -> Config:
    weights = dict.fromkeys(("same", "cross", "cycle", "code", "kl", "adversarial"), 0.0)
    return replace(config, losses=replace(config.losses, **weights))


def test_identity_losses_reach_encoders_h_head_and_alpha_but_not_the_decoder(smoke_config):
    model = make_model(silent_generation(smoke_config))
    gradients = gradients_of_a_step(model, make_batch(smoke_config))
    assert not some(gradients, model.generator.decoder.trainable_variables)
    for m in MODALITIES:
        assert some(gradients, model.generator.encoders(m).prototype.trainable_variables)
        assert some(gradients, model.generator.encoders(m).attribute.trainable_variables)
    assert every(gradients, [model.features.combination.alpha])
    assert some(gradients, model.features.embedding.trainable_variables)
    assert some(gradients, model.features.head.trainable_variables)


def test_identity_losses_reach_the_decoder_when_generated_pictures_are_not_detached(smoke_config):
    sampling = replace(smoke_config.sampling, detach_generated=False)
    model = make_model(silent_generation(replace(smoke_config, sampling=sampling)))
    gradients = gradients_of_a_step(model, make_batch(smoke_config))
    assert some(gradients, model.generator.decoder.trainable_variables)


def test_generation_losses_reach_encoders_and_decoder_only(smoke_config):
    losses = replace(smoke_config.losses, cross_entropy=0.0, triplet=0.0)
    model = make_model(replace(smoke_config, losses=losses))
    gradients = gradients_of_a_step(model, make_batch(smoke_config))
    assert some(gradients, model.generator.decoder.trainable_variables)
    assert not some(gradients, model.features.trainable_variables)


def test_erased_pixels_do_not_matter_to_the_identity_losses(smoke_config):
    """The box covers everything but the first row: the rest of a visible picture may change."""
    model, batch = make_model(silent_generation(smoke_config)), make_batch(smoke_config)
    height, width = smoke_config.data.height, smoke_config.data.width
    box = tf.constant([[1, 0, height - 1, width]] * smoke_config.batch.negatives)
    batch["erasing"]["visible_negatives"] = box
    model.features.head.dropout.rate = 0.0
    before = model.train_step(batch)["cross_entropy"]
    changed = tf.concat([batch["visible_negatives"][:, :1], batch["visible_negatives"][:, 1:] + 5.0], axis=1)
    fresh = make_model(silent_generation(smoke_config))
    fresh.features.head.dropout.rate = 0.0
    after = fresh.train_step({**batch, "visible_negatives": changed})["cross_entropy"]
    np.testing.assert_allclose(before, after, rtol=1e-5)


def test_the_generator_meets_the_discriminators_of_after_their_update(smoke_config):
    still = replace(smoke_config.optimisers, generator_rate=0.0)
    config = replace(smoke_config, optimisers=still)
    model, batch = make_model(config), make_batch(config)

    def adversarial() -> float:
        codes = {m: model.encode(m, batch[m]) for m in MODALITIES}
        return float(model._adversarial_term(model.decode_swaps(codes)))

    before = adversarial()
    logged = float(model.train_step(batch)["adversarial"])
    assert logged == pytest.approx(adversarial(), rel=1e-4)
    assert logged != pytest.approx(before, rel=1e-3)


def test_swaps_decode_the_codes_that_the_equations_name(smoke_config):
    model, batch = make_model(smoke_config), make_batch(smoke_config)
    layout, decode = model.layout, lambda p, a: model.generator.decoder((p, a))
    codes = {m: model.encode(m, batch[m]) for m in MODALITIES}
    decoded = model.decode_swaps(codes)
    recoded = {m: model.encode(m, decoded.cross[m]) for m in MODALITIES}
    cycle = model.decode_cycle(codes, recoded)
    for m in MODALITIES:
        o = other(m)
        (p, a), (p_o, a_o) = codes[m], codes[o]
        swapped = layout.combine(style=a_o, pose=a, illumination=a)
        expected = {
            "cross": (decoded.cross[m], decode(p_o, swapped)),  # Eq. 1
            "same": (decoded.same[m], decode(p, swapped)),  # Eq. 2, released: the other image's style
            "illumination": (decoded.illumination[m], decode(p_o, layout.combine(a_o, a_o, a))),  # Eq. 7
            "cycle": (cycle[m], decode(recoded[o].prototype, swapped)),  # Eq. 3, released: original attributes
        }
        for name, (got, wanted) in expected.items():
            np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-4, err_msg=f"{name} in the look of {m}")


def test_the_papers_same_and_cycle_reconstructions(smoke_config):
    losses = replace(smoke_config.losses, same_style="own", cycle_attributes="reconstructed")
    model, batch = make_model(replace(smoke_config, losses=losses)), make_batch(smoke_config)
    codes = {m: model.encode(m, batch[m]) for m in MODALITIES}
    decoded = model.decode_swaps(codes)
    recoded = {m: model.encode(m, decoded.cross[m]) for m in MODALITIES}
    cycle = model.decode_cycle(codes, recoded)
    for m in MODALITIES:
        own = model.generator.decoder(tuple(codes[m]))
        np.testing.assert_allclose(decoded.same[m], own, rtol=1e-3, atol=1e-4)
        # The picture in the other look carries m's prototype and style, the one in m's look its excluded attributes.
        again = model.layout.swap_style(recoded[other(m)].attributes, recoded[m].attributes)
        wanted = model.generator.decoder((recoded[other(m)].prototype, again))
        np.testing.assert_allclose(cycle[m], wanted, rtol=1e-3, atol=1e-4)


def test_logged_terms_are_the_sums_over_both_modalities(smoke_config):
    model, batch = make_model(smoke_config), make_batch(smoke_config)
    x = {m: batch[m] for m in MODALITIES}
    codes = {m: model.encode(m, x[m]) for m in MODALITIES}
    decoded = model.decode_swaps(codes)
    logs = model.train_step(batch)
    assert float(logs["cross"]) == pytest.approx(
        float(l1(decoded.cross[VISIBLE], x[VISIBLE]) + l1(decoded.cross[INFRARED], x[INFRARED])), rel=1e-4
    )
    excluded = [model.layout.excluded_of(codes[m].attributes) for m in MODALITIES]
    assert float(logs["kl"]) == pytest.approx(sum(float(np.mean(np.square(e))) for e in excluded), rel=1e-4)


FORMS = {
    "released": {},
    "own style": {"losses": {"same_style": "own"}},
    "reconstructed attributes": {"losses": {"cycle_attributes": "reconstructed"}},
    "log": {"losses": {"adversarial_form": "log", "gradient_penalty": 0.0}},
    "gaussian": {"losses": {"kl_form": "gaussian"}},
    "euclidean": {"losses": {"triplet_form": "euclidean"}},
    "paper groups": {"sampling": {"groups": "paper"}},
    "original": {"sampling": {"groups": "original"}},
    "attached": {"sampling": {"detach_generated": False}},
    "no negatives": {"batch": {"negatives": 0}},
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_finite_losses_and_moves_every_part(smoke_config, name):
    changes = {part: replace(getattr(smoke_config, part), **values) for part, values in FORMS[name].items()}
    config = replace(smoke_config, **changes)
    model = make_model(config)
    parts = {
        "visible encoders": model.generator.visible,
        "infrared encoders": model.generator.infrared,
        "decoder": model.generator.decoder,
        "visible discriminator": model.visible_discriminator,
        "infrared discriminator": model.infrared_discriminator,
        "H": model.features.embedding,
        "head": model.features.head,
    }
    before = {part: [ops.convert_to_numpy(v) for v in model.trainable_variables] for part, model in parts.items()}
    logs = {key: float(value) for key, value in model.train_step(make_batch(config)).items()}
    assert all(np.isfinite(value) for value in logs.values()), logs
    for part, network in parts.items():
        moved = [not np.array_equal(old, v) for old, v in zip(before[part], network.trainable_variables, strict=True)]
        assert any(moved), f"{part} did not learn"
