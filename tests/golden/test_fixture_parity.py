"""The released implementation's numbers without reference material: stored values of code that gave its numbers.

`golden_fixture.py` says how they were made. A change that moves one of them moves the port away from the release.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_fixture import full_inference, reduced
from golden_run import true_zero, worst

from hicmd_tf.convert.keys import Place
from hicmd_tf.engines.chosen import BACKEND

FOLDER = Path(__file__).parent
ARRAYS = 2e-7  # stored in float32
LOSSES, GRADIENTS, STATISTICS = 1e-9, 1e-8, 1e-5
SINGLE_LOSSES = 1e-3
STEPS = {1: 1e-9, 2: 1e-7}

# With JAX every form is compiled, for most of a minute: `make test` has the most different one, `make test-golden` all.
COMPILED = BACKEND == "jax"
FORMS = [{"joined": True}, pytest.param({"joined": False}, marks=pytest.mark.full_size)] if COMPILED else [{}]
elsewhere = pytest.mark.full_size if COMPILED else lambda test: test


def stored(name: str) -> dict[str, Any]:
    with np.load(FOLDER / f"{name}.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module", params=FORMS, ids=lambda form: "joined" if form.get("joined") else "apart")
def pair(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the reduced networks compute in float64, and what is stored of them."""
    return reduced("float64", **request.param), stored("reduced")


def relative(pair: tuple[dict[str, Any], dict[str, Any]], prefix: str) -> dict[str, float]:
    ours, golden = pair
    names = [name for name in golden if name.startswith(prefix) and not golden[name].ndim]
    return {name.removeprefix(prefix): abs(float(ours[name]) / float(golden[name]) - 1) for name in names}


def too_far(errors: dict[str, float], limit: float) -> dict[str, float]:
    assert errors
    print("worst", max(errors.items(), key=lambda item: item[1]))
    return {name: error for name, error in errors.items() if not error <= limit}


@elsewhere
def test_the_full_size_networks_compute_what_is_stored() -> None:
    golden, ours = stored("full"), full_inference()

    assert ours.keys() == golden.keys()
    assert too_far({name: worst(ours[name], golden[name]) for name in golden}, ARRAYS) == {}


@elsewhere
def test_losses_of_float32_are_those_stored() -> None:
    """By the fast forms."""
    assert too_far(relative((reduced("float32", iterations=0), stored("reduced")), "loss/"), SINGLE_LOSSES) == {}


def test_everything_that_is_stored_is_computed(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert pair[0].keys() == pair[1].keys()


def test_losses_are_those_stored(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert too_far(relative(pair, "loss/"), LOSSES) == {}


def test_rows_of_feature_learning_are_those_stored(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    ours, golden = pair
    names = [name for name in golden if name.startswith("hfl/")]

    assert {len(ours[name]) for name in names} == {20}
    assert too_far({name: worst(ours[name], golden[name]) for name in names}, ARRAYS) == {}


def test_gradient_norms_are_those_stored(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    errors = relative(pair, "gradnorm/")
    true = {name: error for name, error in errors.items() if not true_zero(Place(*name.split("/", 2)))}

    assert len(true) > 300
    assert too_far(true, GRADIENTS) == {}


@pytest.mark.parametrize("number", STEPS)
def test_iterations_go_as_those_stored(pair: tuple[dict[str, Any], dict[str, Any]], number: int) -> None:
    errors = relative(pair, f"step{number}/")
    alpha = errors.pop("alpha")

    assert too_far(errors, STEPS[number]) == {} and alpha <= 1e-8


@pytest.mark.parametrize("number", STEPS)
def test_batch_norm_statistics_move_as_those_stored(pair: tuple[dict[str, Any], dict[str, Any]], number: int) -> None:
    ours, golden = pair
    names = [name for name in golden if name.startswith(f"step{number}/") and golden[name].ndim]

    assert len(names) == 8
    assert too_far({name: worst(ours[name], golden[name]) for name in names}, STATISTICS) == {}
