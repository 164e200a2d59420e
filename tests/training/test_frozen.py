"""Frozen networks keep their weights, others learn, and steps count whoever learns."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from one_iteration import CLASSES, make_batch

from hicmd_tf.config import load
from hicmd_tf.config.kinds import HICMD, PARTS
from hicmd_tf.errors import UserError
from hicmd_tf.training.experiment import build_model, frozen_at_random

PLUMBING = Path(__file__).parents[1] / "fixtures" / "plumbing.yaml"


def learned(model: Any) -> set[str]:
    """Networks of which a step changes a weight."""
    by_part = model.networks.by_part()
    weights = {part: [v for one in of for v in one.weights if "moving_" not in v.path] for part, of in by_part.items()}
    before = {part: [np.array(v) for v in of] for part, of in weights.items()}
    model.train_step(make_batch(model.settings))
    return {
        part
        for part, of in weights.items()
        if not all(np.array_equal(v, old) for v, old in zip(of, before[part], strict=True))
    }


@pytest.mark.parametrize(
    "frozen", [[], list(PARTS[HICMD][:3]), ["discriminators", "combination"], list(PARTS[HICMD][4:])]
)
def test_what_is_frozen_stays_and_what_is_not_learns(frozen: list[str]) -> None:
    model = build_model(load(PLUMBING, {"training.frozen": frozen}), CLASSES)
    assert set(model.networks.by_part()) == set(PARTS[HICMD])
    assert learned(model) == set(PARTS[HICMD]) - set(frozen)
    assert [int(optimiser.iterations) for optimiser in model.optimisers.by_part().values()] == [1, 1, 1]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({}, ""),
        ({"training.frozen": ["combination"]}, ""),
        ({"training.frozen": ["decoder", "combination", "head"]}, "training.frozen names decoder, head, whose weights"),
        ({"training.frozen": ["decoder"], "training.initialise": "runs/a"}, ""),
        ({"training.frozen": ["decoder", "head"], "training.initialise": "runs/a"}, "names head, whose classifier"),
    ],
)
def test_what_is_frozen_at_random_is_named(values: dict[str, object], named: str) -> None:
    said = frozen_at_random(load(PLUMBING, values))
    assert named in said and bool(named) == bool(said)


def test_resnet_weights_leave_only_other_networks_random() -> None:
    frozen = {"training.frozen": list(PARTS["hicmd"]), "networks.resnet_weights": "imagenet"}
    assert "names prototype_encoders, decoder, discriminators, head, whose" in frozen_at_random(load("base", frozen))


def test_a_network_named_twice_is_refused_in_words() -> None:
    with pytest.raises(UserError, match=r"expected a list of some of .* each once"):
        load(PLUMBING, {"training.frozen": ["decoder", "decoder"]})
