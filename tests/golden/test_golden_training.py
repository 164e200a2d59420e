"""The released implementation's training at full size: losses, rows of HFL, gradients, three iterations.

Minutes, and 9 GiB in float64, 16 with JAX: `make test-golden` runs it, `make test` does not.
"""

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from golden_run import batch, model_with, networks_with, precision, released_config, train, true_zero, worst

from hicmd_tf.convert.keys import Place
from hicmd_tf.engines.chosen import BACKEND

pytestmark = pytest.mark.full_size

CLASSES = 206
IDENTITIES = {
    "identities": [3, 141],
    "visible_negative_identities": [7, 20],
    "infrared_negative_identities": [59, 200],
}

LOSSES = {"float64": 1e-9, "float32": 1e-3}
ROWS = {"float64": 2e-7, "float32": 2e-2}  # float32: after a batch norm over twenty rows
# float32: the last bit of float32 in the initial weights moves losses by 2.5 % in step 2 and 6 % in step 3 in float64,
# and by up to 4 % and 8 % in float32.
STEPS = {"float64": (1e-9, 1e-7, 1e-5), "float32": (1e-3, 0.1, 0.2)}
ALPHA = {"float64": 1e-8, "float32": 2e-4}
GRADIENTS = 1e-8
SINGLE_DISCRIMINATOR_GRADIENTS = 1e-3

# Rounding grows a thousandfold a step (batch norm over two pictures). A last-bit change of our own initial weights
# moves this one by 1.1e-6 to 1.7e-6 in step 3, and it differs from the release's by 1.9e-6 to 2.4e-6, as threads sum;
# all others stay below 1e-6.
STATISTICS = 1e-6
SENSITIVE = "enc_att.model.layer4.2.bn3.running_var"
SENSITIVE_LIMIT = 5e-6


NEEDED = 20  # GiB; 16 of them at the peak


def memory() -> float:
    """GiB of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def form(floatx: str) -> dict[str, Any]:
    """JAX's form for accelerators; in float64 that for CPUs, which takes less memory (reduced networks have both)."""
    return {"joined": floatx == "float32"} if BACKEND == "jax" else {}


class Result(NamedTuple):
    """What the release computed, and we."""

    floatx: str
    golden: dict[str, Any]
    losses: dict[str, float]
    rows: dict[str, Any]
    norms: dict[Place, float]
    steps: list[dict[str, Any]]


@pytest.fixture(scope="module", params=["float32", "float64"])
def result(request: pytest.FixtureRequest, reference: Any) -> Iterator[Result]:
    if BACKEND == "jax" and request.param == "float64" and memory() < NEEDED:
        pytest.skip(f"JAX takes {NEEDED} GiB for it: double precision's convolutions are matrix products there")
    golden = reference.arrays("train")
    names = {name.split("/", 1)[1] for name in golden if name.startswith("step3_bn/")}
    statistics = {Place(*name.split("/", 2)) for name in names}
    with precision(request.param):
        config = released_config(128, 64)
        model = model_with(networks_with(config, CLASSES, reference.weights()), config, **form(request.param))
        yield Result(request.param, golden, *train(model, batch(reference.pictures, IDENTITIES), statistics))


def too_far(errors: dict[Any, float], limit: float) -> dict[Any, float]:
    print("worst", max(errors.items(), key=lambda item: item[1]))
    return {name: error for name, error in errors.items() if not error <= limit}


def test_every_loss_is_the_released_one(result: Result) -> None:
    golden = {n.removeprefix("loss/"): float(v) for n, v in result.golden.items() if n.startswith("loss/")}

    assert result.losses.keys() == golden.keys()
    assert too_far({n: abs(result.losses[n] / golden[n] - 1) for n in golden}, LOSSES[result.floatx]) == {}


def test_all_twenty_rows_of_feature_learning_are_the_released_ones(result: Result) -> None:
    errors = {name: worst(rows, result.golden[f"hfl/{name}"]) for name, rows in result.rows.items()}

    assert {len(rows) for rows in result.rows.values()} == {20}
    assert too_far(errors, ROWS[result.floatx]) == {}


def test_every_gradient_has_the_released_norm(result: Result) -> None:
    golden = {
        Place(*name.removeprefix("gradnorm/").split("/", 2)): float(value)
        for name, value in result.golden.items()
        if name.startswith("gradnorm/") and not np.isnan(value)
    }
    golden = {place: norm for place, norm in golden.items() if not (place.part == "b" and place.key.startswith("dec."))}
    if result.floatx == "float32":  # a single generator gradient differs by up to 8 % in the release itself
        golden = {place: norm for place, norm in golden.items() if place.file == "dis"}

    errors = {place: abs(result.norms[place] / norm - 1) for place, norm in golden.items() if not true_zero(place)}

    print(len(errors), "gradients")
    assert too_far(errors, GRADIENTS if result.floatx == "float64" else SINGLE_DISCRIMINATOR_GRADIENTS) == {}


def test_three_iterations_go_as_the_released_ones(result: Result) -> None:
    for number, (ours, limit) in enumerate(zip(result.steps, STEPS[result.floatx], strict=True), start=1):
        golden = {n.split("/")[1]: float(v) for n, v in result.golden.items() if n.startswith(f"step{number}/")}
        alpha = golden.pop("alpha")

        assert too_far({name: abs(ours[name] / value - 1) for name, value in golden.items()}, limit) == {}, number
        assert abs(ours["alpha"] - alpha) <= ALPHA[result.floatx]


def test_batch_norm_keeps_the_released_statistics(result: Result) -> None:
    if result.floatx == "float32":
        pytest.skip("float32 leaves no six digits of three iterations")
    for number in (1, 3):
        prefix = f"step{number}_bn/"
        golden = {n.removeprefix(prefix): v for n, v in result.golden.items() if n.startswith(prefix)}
        errors = {name: worst(result.steps[number - 1][name], value) for name, value in golden.items()}
        sensitive = {name: errors.pop(name) for name in list(errors) if number == 3 and name.endswith(SENSITIVE)}

        assert too_far(errors, STATISTICS) == {}
        assert not sensitive or too_far(sensitive, SENSITIVE_LIMIT) == {}
