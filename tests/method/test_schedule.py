"""One training iteration: who learns from which loss, in which order, and in every form."""

from typing import Any

import numpy as np
import pytest
from keras import ops
from one_iteration import SMALLEST, gradients_of_a_step, make_batch, make_model

from hicmd_tf.config import Config, with_values
from hicmd_tf.method.generation import draw, generate, learn_to_encode
from hicmd_tf.method.terms import TERMS, terms_of
from hicmd_tf.notation import MODALITIES


@pytest.fixture
def config(smoke_config: Config) -> Config:
    return with_values(smoke_config, SMALLEST)


def silent(total: str) -> dict[str, Any]:
    """Without the terms of a total."""
    return {f"losses.{term.name}": 0.0 for term in TERMS if term.total == total}


def parts(model: Any) -> dict[str, Any]:
    generator, features = model.networks.generator, model.networks.features
    encoders = {
        f"{m} {kind}": getattr(generator.encoders(m), kind) for m in MODALITIES for kind in ("prototype", "attribute")
    }
    of_features = {"H": features.embedding, "head": features.head, "alpha": features.combination}
    return {**encoders, "decoder": generator.decoder, **of_features, **model.networks.discriminators}


@pytest.mark.parametrize(
    ("changes", "without"),
    [
        (silent("generation"), {"decoder", *MODALITIES}),  # the discriminators' weight is among them
        (silent("generation") | {"sampling.detach_generated": False}, {*MODALITIES}),
        (silent("feature"), {"H", "head", "alpha"}),
    ],
    ids=["identity", "identity, not detached", "generation"],
)
def test_losses_reach_the_parts_that_they_train(config: Config, changes: dict[str, Any], without: set[str]) -> None:
    model = make_model(config, changes)
    gradients = gradients_of_a_step(model, make_batch(config))

    def reached(part: Any) -> bool:
        found = [gradients[id(variable)] for variable in part.trainable_variables]
        return any(gradient is not None and np.abs(gradient).max() > 0 for gradient in found)

    assert {name for name, part in parts(model).items() if not reached(part)} == without


def test_the_generator_meets_the_discriminators_after_their_update_and_what_is_logged_is_its_terms(
    config: Config,
) -> None:
    model, batch = make_model(config, {"optimisers.generator_rate": 1e-30}), make_batch(config)
    x = {m: batch[m] for m in MODALITIES}

    def terms() -> dict[str, float]:
        codes, decoded = draw(model.method(), x)
        recoded = learn_to_encode(model.method(), {"cross": decoded.cross})["cross"]
        found = generate(model.method(), x, codes, decoded, recoded)
        return {name: float(value) for name, value in found.items()}

    before, logged = terms(), {name: float(value) for name, value in model.train_step(batch).items()}
    after = terms()
    assert set(after) == {term.name for term in terms_of("generation")}
    for name, value in after.items():
        assert logged[name] == pytest.approx(value, rel=1e-4)
    assert logged["adversarial"] != pytest.approx(before["adversarial"], rel=1e-3)
    weights = config.losses
    totals = {
        "generation": {name: getattr(weights, name) for name in after},
        "discriminator": {
            "discriminator": weights.adversarial,
            "gradient_penalty": weights.adversarial * weights.gradient_penalty,
        },
        "feature": {name: getattr(weights, name) for name in ("cross_entropy", "triplet")},
    }
    for total, of_terms in totals.items():
        weighted = sum(weight * logged[name] for name, weight in of_terms.items())
        assert logged[f"{total}_total"] == pytest.approx(weighted, rel=1e-5)


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
def test_every_form_gives_finite_losses_and_moves_every_part(config: Config, name: str) -> None:
    model = make_model(config, FORMS[name])
    before = {part: [ops.convert_to_numpy(v) for v in of.trainable_variables] for part, of in parts(model).items()}
    logs = {key: float(value) for key, value in model.train_step(make_batch(model.settings)).items()}
    assert all(np.isfinite(value) for value in logs.values()), logs
    for part, of in parts(model).items():
        moved = [not np.array_equal(old, v) for old, v in zip(before[part], of.trainable_variables, strict=True)]
        assert any(moved), f"{part} did not learn"
