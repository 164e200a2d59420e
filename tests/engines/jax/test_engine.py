"""JAX's engine: few large things compute what many small ones do, and who reads nothing of a weight leaves it alone."""

from typing import Any

import jax
import numpy as np
import pytest
from golden_run import precision
from keras import ops
from one_iteration import SMALLEST, make_batch, make_model
from watching import iterate, watched

from hicmd_tf.config import Config, with_values

JOINED = pytest.mark.parametrize("joined", [True, False], ids=["joined", "apart"])


@pytest.fixture
def config(smoke_config: Config) -> Config:
    return with_values(smoke_config, SMALLEST)


@JOINED
def test_a_weight_that_a_loss_does_not_read_has_no_gradient_and_does_not_decay(config: Config, joined: bool) -> None:
    assert config.optimisers.weight_decay > 0
    model = make_model(config, joined=joined)
    kernel = model.features.head.classify.kernel

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
        place
        for place, gradient in zip(model.engine.places.parts["features"], gradients, strict=True)
        if gradient is not None
    ]
    assert read == [model.engine.places.of_variable[id(kernel)]]
    moved = [
        variable
        for variable, before, after in zip(model.variables, model.values(), values, strict=True)
        if not np.array_equal(before, after)
    ]
    assert {id(variable) for variable in moved} == {
        id(variable) for variable in (kernel, *model.optimisers.features.buffers_of(kernel))
    }


@pytest.mark.slow  # two compilations
def test_both_forms_have_the_same_losses_gradients_and_new_state(config: Config) -> None:
    def found(joined: bool) -> tuple[dict[str, float], dict[str, Any], dict[str, Any]]:
        with precision("float64"):
            model = make_model(config, joined=joined)
            with watched(model) as seen:
                losses = iterate(model, make_batch(config))
        names = {id(variable): name for name, variable in model.state.items()}
        gradients = {names[key]: np.asarray(g) for key, g in seen.gradients.items() if g is not None}
        return losses, gradients, {name: np.array(variable) for name, variable in model.state.items()}

    for one, other in zip(found(True), found(False), strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            # The gradient of a bias in front of a norm is rounding alone.
            np.testing.assert_allclose(one[name], value, rtol=1e-7, atol=1e-9, err_msg=name)
