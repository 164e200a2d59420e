"""JAX's engine: few large things compute what many small ones do, and who reads nothing of a weight leaves it alone."""

from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
from golden_run import precision
from keras import ops
from one_iteration import SMALLEST, make_batch, make_model
from watching import iterate, watched

from hicmd_tf.config import Config, with_values
from hicmd_tf.engines.jax import devices

JOINED = pytest.mark.parametrize("joined", [True, False], ids=["joined", "apart"])


@pytest.fixture
def config(smoke_config: Config) -> Config:
    return with_values(smoke_config, SMALLEST)


@JOINED
def test_a_weight_that_a_loss_does_not_read_has_no_gradient_and_does_not_decay(config: Config, joined: bool) -> None:
    assert config.optimisers.weight_decay > 0
    model = make_model(config, joined=joined)
    kernel = model.networks.features.head.classify.kernel

    def step() -> list[Any]:
        found = model.engine.value_and_grad(lambda: (ops.sum(kernel * kernel), None), ["features"])
        model.engine.apply("features", found.of_parts["features"])
        return found.of_parts["features"]

    @jax.jit
    def run(values: Any) -> Any:
        arrays, moments = model._pack(values)
        arrays, moments, gradients = model.engine.run(step, arrays, moments, model.rates(0))
        return model._unpack(arrays, moments), gradients

    values, gradients = run(model.values())

    read = [
        index
        for index, gradient in zip(model.engine.leaves.of_part["features"], gradients, strict=True)
        if gradient is not None
    ]
    assert read == [model.engine.leaves.index_of[id(kernel)]]
    moved = [
        variable
        for variable, before, after in zip(model.variables, model.values(), values, strict=True)
        if not np.array_equal(before, after)
    ]
    assert {id(variable) for variable in moved} == {
        id(variable) for variable in (kernel, *model.optimisers.features.buffers_of(kernel))
    }


@pytest.mark.slow  # two compilations
def test_both_forms_have_the_same_losses_and_gradients(config: Config) -> None:
    def found(joined: bool) -> tuple[dict[str, float], dict[str, Any]]:
        with precision("float64"):
            model = make_model(config, joined=joined)
            with watched(model) as seen:
                losses = iterate(model, jax.tree.map(in_double, make_batch(config)))
        parts = model.trained().items()
        names = {id(v): f"{part}/{number}/{v.path}" for part, of in parts for number, v in enumerate(of)}
        return losses, {names[key]: np.asarray(g) for key, g in seen.gradients.items() if g is not None}

    def in_double(x: Any) -> Any:
        return x.astype("float64") if x.dtype == "float32" else x

    (losses, gradients), (others, wanted) = found(True), found(False)
    assert losses == pytest.approx(others, rel=1e-9)
    assert gradients.keys() == wanted.keys()
    largest = max(np.abs(g).max() for g in wanted.values())  # those of biases in front of a norm are rounding alone
    errors = {
        name: np.abs(gradients[name] - g).max() / max(np.abs(g).max(), 1e-6 * largest) for name, g in wanted.items()
    }
    assert {name: error for name, error in errors.items() if not error <= 1e-6} == {}


def test_the_fullest_card_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices.card_memory() is None  # a processor
    stats = [{"peak_bytes_in_use": 3}, None, {"peak_bytes_in_use": 5}]
    found = [SimpleNamespace(memory_stats=lambda of=of: of) for of in stats]
    monkeypatch.setattr(devices.jax, "local_devices", lambda: found)
    assert devices.card_memory() == 5
