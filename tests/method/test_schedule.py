"""One training iteration: who learns from which loss, in which order, and in every form."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from one_iteration import CLASSES, gradients_of_a_step, make_batch

from hicmd_tf.config import Config, with_values
from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.method.generation import draw, generate
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.method.terms import TERMS, terms_of
from hicmd_tf.notation import MODALITIES
from hicmd_tf.training.optimisers import make_optimisers


def make_model(config: Config) -> HiCMD:
    keras.utils.set_random_seed(3)
    model = HiCMD(build_networks(config.networks, CLASSES), config)
    model.compile(make_optimisers(config.optimisers))
    return model


def silent(config: Config, total: str) -> Config:
    """Without the terms of a total."""
    weights = {term.name: 0.0 for term in TERMS if term.total == total}
    return replace(config, losses=replace(config.losses, **weights))


def some(gradients: dict, variables: list) -> bool:
    return any(gradients[id(v)] is not None and np.abs(gradients[id(v)]).max() > 0 for v in variables)


@pytest.mark.parametrize("detached", [True, False])
def test_identity_losses_reach_encoders_h_head_and_alpha_and_the_decoder_unless_detached(
    smoke_config: Config, detached: bool
) -> None:
    sampling = replace(smoke_config.sampling, detach_generated=detached)
    model = make_model(silent(replace(smoke_config, sampling=sampling), "generation"))
    gradients = gradients_of_a_step(model, make_batch(smoke_config))
    assert some(gradients, model.generator.decoder.trainable_variables) == (not detached)
    parts = [
        part
        for m in MODALITIES
        for part in (model.generator.encoders(m).prototype, model.generator.encoders(m).attribute)
    ]
    for part in (*parts, model.features.embedding, model.features.head, model.features.combination):
        assert some(gradients, part.trainable_variables), part.name


def test_generation_losses_reach_encoders_and_decoder_only(smoke_config: Config) -> None:
    model = make_model(silent(smoke_config, "feature"))
    gradients = gradients_of_a_step(model, make_batch(smoke_config))
    for part in (model.generator.visible, model.generator.infrared, model.generator.decoder):
        assert some(gradients, part.trainable_variables)
    assert not some(gradients, model.features.trainable_variables)


def test_the_generator_meets_the_discriminators_after_their_update_and_what_is_logged_is_its_terms(
    smoke_config: Config,
) -> None:
    still = replace(smoke_config.optimisers, generator_rate=0.0)
    config = replace(smoke_config, optimisers=still)
    model, batch = make_model(config), make_batch(config)
    x = {m: batch[m] for m in MODALITIES}

    def terms() -> dict[str, float]:
        return {name: float(value) for name, value in generate(model.method(), x, *draw(model.method(), x)).items()}

    before, logged = terms(), {name: float(value) for name, value in model.train_step(batch).items()}
    after = terms()
    assert set(after) == {term.name for term in terms_of("generation")}
    for name, value in after.items():
        assert logged[name] == pytest.approx(value, rel=1e-4)
    assert logged["adversarial"] != pytest.approx(before["adversarial"], rel=1e-3)
    weighted = sum(getattr(config.losses, name) * logged[name] for name in after)
    assert logged["generation_total"] == pytest.approx(weighted, rel=1e-5)
    of_discriminators = logged["discriminator"] + config.losses.gradient_penalty * logged["gradient_penalty"]
    assert logged["discriminator_total"] == pytest.approx(config.losses.adversarial * of_discriminators, rel=1e-5)
    weighted = sum(getattr(config.losses, name) * logged[name] for name in ("cross_entropy", "triplet"))
    assert logged["feature_total"] == pytest.approx(weighted, rel=1e-5)


FORMS: dict[str, dict[str, Any]] = {
    "released": {},
    "paper": {
        "losses.same_style": "own",
        "losses.cycle_attributes": "reconstructed",
        "losses.adversarial_form": "log",
        "losses.gradient_penalty": 0.0,
        "losses.kl_form": "gaussian",
        "losses.triplet_form": "euclidean",
        "sampling.groups": "paper",
        "sampling.detach_generated": False,
    },
    "original pictures alone": {"sampling.groups": "original", "batch.negatives": 0},
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_finite_losses_and_moves_every_part(smoke_config: Config, name: str) -> None:
    config = with_values(smoke_config, FORMS[name])
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
    before = {part: [ops.convert_to_numpy(v) for v in network.trainable_variables] for part, network in parts.items()}
    logs = {key: float(value) for key, value in model.train_step(make_batch(config)).items()}
    assert all(np.isfinite(value) for value in logs.values()), logs
    for part, network in parts.items():
        moved = [not np.array_equal(old, v) for old, v in zip(before[part], network.trainable_variables, strict=True)]
        assert any(moved), f"{part} did not learn"
