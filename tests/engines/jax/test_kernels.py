"""The forms have the values, the gradients and, where R1 differentiates them again, the gradients of gradients of the
plain ones."""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numeric import draw

from hicmd_tf.engines.jax import kernels
from hicmd_tf.method import networks
from hicmd_tf.method.networks import fast

MODULES = [import_module(f"{networks.__name__}.{found.name}") for found in iter_modules(networks.__path__)]

# Case: the form; shapes of the arguments that are differentiated; the other arguments, which follow the first.
CASES: dict[str, tuple[str, list[tuple[int, ...]], tuple[Any, ...]]] = {
    "leaky_relu": ("leaky_relu", [(2, 5, 7, 3)], ()),
    "instance_norm": ("instance_norm", [(3, 5, 7, 6)], ()),
    "AdaIN": ("instance_norm", [(3, 5, 7, 6), (3, 6), (3, 6)], ()),
    "group_norm of one": ("group_norm", [(4, 3, 5, 5), (5,), (5,)], ((),)),
    "group_norm of vectors": ("group_norm", [(6, 5), (5,), (5,)], ((3, 3),)),
    "group_norm of many": ("group_norm", [(18, 3, 5, 5), (5,), (5,)], ((2,) * 9,)),
    "mirrored, reflect": ("mirrored", [(2, 5, 7, 3)], (1, "reflect")),
    "mirrored, reflect, wide": ("mirrored", [(2, 5, 7, 3)], (4, "reflect")),
    "mirrored, symmetric": ("mirrored", [(2, 5, 7, 3)], (1, "symmetric")),
    "mirrored, symmetric, wide": ("mirrored", [(2, 5, 7, 3)], (4, "symmetric")),
    "convolve 1 x 1": ("convolve", [(2, 5, 7, 3), (1, 1, 3, 4)], (1, 1)),
    "convolve 1 x 1 of stride 2": ("convolve", [(2, 5, 7, 3), (1, 1, 3, 4)], (2, 1)),
}
DIFFERENTIATED_TWICE = [case for case, (name, *_) in CASES.items() if name in ("leaky_relu", "mirrored")]


def plain(name: str) -> Callable[..., Any]:
    """The function that a form replaces, without it."""
    found = next(getattr(module, name) for module in MODULES if hasattr(module, name))
    return found.__wrapped__  # type: ignore[no-any-return]


def called(case: str, form: bool, *tensors: Any) -> list[Any]:
    """A case's results, by its form or by the plain one. Sizes of groups come second, other settings last."""
    name, _, rest = CASES[case]
    function = kernels.FORMS[name] if form else plain(name)

    def call(*tensors: Any) -> Any:
        return function(tensors[0], *rest, *tensors[1:]) if name == "group_norm" else function(*tensors, *rest)

    return jax.tree.leaves(jax.jit(call)(*tensors))  # much faster than to compile one operation after another


def tensors(case: str, dtype: str = "float64") -> list[Any]:
    own = CASES[case][0] in ("instance_norm", "group_norm")  # norms' parameters are at least float32
    types = [dtype if i == 0 or not own or dtype == "float64" else "float32" for i in range(3)]
    arrays = (1.5 * (seed > 0) + draw(*shape, seed=seed) for seed, shape in enumerate(CASES[case][1]))
    return [jnp.asarray(array, kind) for array, kind in zip(arrays, types, strict=False)]


def gradients(case: str, form: bool, given: list[Any]) -> list[Any]:
    """Of the sum weighted randomly: a plain sum of normalised numbers has none."""

    def total(*tensors: Any) -> Any:
        y = called(case, form, *tensors)[0]
        return jnp.sum(y * jnp.asarray(draw(*y.shape, seed=9), y.dtype))

    return list(jax.jit(jax.grad(total, tuple(range(len(given)))))(*given))


def close(got: list[Any], wanted: list[Any], limit: float = 1e-12) -> None:
    for one, other in zip(got, wanted, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
        one, other = (np.asarray(array, np.float64) for array in (one, other))
        np.testing.assert_allclose(one, other, rtol=0, atol=limit * max(1.0, np.abs(other).max()))


@pytest.mark.parametrize("case", CASES)
def test_forms_have_the_values_and_gradients_of_the_plain_ones(case: str) -> None:
    given = tensors(case)
    close(called(case, True, *given), called(case, False, *given))
    close(gradients(case, True, given), gradients(case, False, given))


@pytest.mark.parametrize("case", DIFFERENTIATED_TWICE)
def test_gradients_of_gradients_are_those_of_the_plain_ones(case: str) -> None:
    """Of half the squared gradient of half the squared results, whose gradient is not constant as the map's is."""

    def twice(form: bool) -> Any:
        def energy(x: Any) -> Any:
            return 0.5 * jnp.sum(called(case, form, x)[0] ** 2)

        return jax.jit(jax.grad(lambda x: 0.5 * jnp.sum(jax.grad(energy)(x) ** 2)))(*tensors(case))

    close([twice(True)], [twice(False)])


@pytest.mark.parametrize("case", CASES)
def test_forms_keep_bfloat16_maps_and_float32_statistics(case: str) -> None:
    given = tensors(case, "bfloat16")
    y, *statistics = called(case, True, *given)
    assert y.dtype == "bfloat16" and all(statistic.dtype == "float32" for statistic in statistics)
    close([y, *statistics], called(case, False, *given), 1e-2)
    # A border adds up to four gradients, each rounded to eight bits.
    close(gradients(case, True, given), gradients(case, False, given), 3e-2)


def test_groups_of_unequal_sizes_are_left_to_the_plain_form() -> None:
    x, gamma, beta = jnp.zeros((9, 3, 2, 5)), jnp.ones(5), jnp.zeros(5)
    assert kernels.FORMS["group_norm"](x, (2, 4, 3), gamma, beta) is NotImplemented


def test_every_form_replaces_a_plain_one() -> None:
    assert all(plain(name) for name in kernels.FORMS)
    assert fast._forms() is kernels.FORMS
