"""The fast forms have the values and gradients of the plain ones, and are taken where they fit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numeric import draw

from hicmd_tf.engines.tensorflow import kernels
from hicmd_tf.method.networks import convolutions, fast, layers, norms, upsampling

MODULES = (layers, norms, convolutions, upsampling)

# Case: the form; shapes of the arguments that are differentiated; the other arguments, which follow the first.
CASES: dict[str, tuple[str, list[tuple[int, ...]], tuple[Any, ...]]] = {
    "leaky_relu": ("leaky_relu", [(2, 4, 5, 3)], ()),
    "instance_norm": ("instance_norm", [(3, 4, 5, 6)], ()),
    "instance_norm of many": ("instance_norm", [(9, 4, 5, 6)], ()),
    "AdaIN": ("instance_norm", [(3, 4, 5, 6), (3, 6), (3, 6)], ()),
    "AdaIN of many": ("instance_norm", [(9, 4, 5, 6), (9, 6), (9, 6)], ()),
    "AdaIN of many and large": ("instance_norm", [(9, 64, 66, 6), (9, 6), (9, 6)], ()),
    "group_norm of one": ("group_norm", [(4, 3, 2, 5), (5,), (5,)], ((),)),
    "group_norm of vectors": ("group_norm", [(6, 5), (5,), (5,)], ((3, 3),)),
    "group_norm of unequal": ("group_norm", [(9, 3, 2, 5), (5,), (5,)], ((2, 4, 3),)),
    "group_norm of many": ("group_norm", [(18, 3, 2, 5), (5,), (5,)], ((2,) * 9,)),
    "mirrored, reflect": ("mirrored", [(2, 6, 5, 3)], (3, "reflect")),
    "mirrored, symmetric": ("mirrored", [(2, 6, 5, 3)], (1, "symmetric")),
    "reflected_convolution": ("reflected_convolution", [(2, 8, 6, 3), (3, 3, 3, 4)], (1, 1)),
    "reflected_convolution of stride 2": ("reflected_convolution", [(2, 8, 6, 3), (5, 5, 3, 4)], (2, 1)),
    "with_border": ("with_border", [(2, 4, 5, 3), (2, 2, 5, 3), (2, 4, 2, 3)], ()),
}


def plain(name: str) -> Callable[..., Any]:
    """The function that a form replaces, without it."""
    found = next(getattr(module, name) for module in MODULES if hasattr(module, name))
    return found.__wrapped__  # type: ignore[no-any-return]


def called(function: Callable[..., Any], name: str, tensors: list[Any], rest: tuple[Any, ...]) -> Any:
    """Sizes of groups come second, other settings last."""
    return function(tensors[0], *rest, *tensors[1:]) if name == "group_norm" else function(*tensors, *rest)


def values_and_gradients(function: Callable[..., Any], name: str, shapes: Any, rest: Any, dtype: str) -> list[Any]:
    tensors = [tf.constant(1.5 + draw(*shape, seed=seed), dtype) for seed, shape in enumerate(shapes)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        found = tf.nest.flatten(called(function, name, tensors, rest))  # statistics follow
        total = tf.reduce_sum(found[0] * tf.constant(draw(*found[0].shape, seed=9), dtype))
    return [*found, *tape.gradient(total, tensors)]


@pytest.mark.parametrize("case", CASES)
def test_forms_have_the_values_and_gradients_of_the_plain_ones(case: str) -> None:
    name, shapes, rest = CASES[case]
    got = values_and_gradients(kernels.FORMS[name], name, shapes, rest, "float32")
    wanted = values_and_gradients(plain(name), name, shapes, rest, "float64")
    for one, other in zip(got, wanted, strict=True):
        assert one.shape == other.shape
        scale = max(1.0, float(tf.reduce_max(tf.abs(other))))
        np.testing.assert_allclose(one / scale, tf.cast(other / scale, "float32"), atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_both_forms_keep_bfloat16_maps_and_float32_statistics(case: str) -> None:
    name, shapes, rest = CASES[case]
    own = name in ("instance_norm", "group_norm")  # norms' parameters stay float32
    tensors = [tf.constant(draw(*s), "float32" if own and i else "bfloat16") for i, s in enumerate(shapes)]
    for function in (kernels.FORMS[name], plain(name)):
        y, *statistics = tf.nest.flatten(called(function, name, tensors, rest))
        assert y.dtype == "bfloat16" and all(statistic.dtype == "float32" for statistic in statistics)


def test_a_dilated_convolution_in_float64_has_the_gradients_of_float32() -> None:
    """TensorFlow has none of its own there."""
    shapes, rest = [(2, 8, 9, 3), (3, 3, 3, 4)], (1, 2)
    double = values_and_gradients(kernels.FORMS["convolve"], "convolve", shapes, rest, "float64")
    single = values_and_gradients(plain("convolve"), "convolve", shapes, rest, "float32")
    for one, other in zip(single, double, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


def test_every_form_replaces_a_plain_one() -> None:
    assert all(plain(name) for name in kernels.FORMS)
    assert fast._forms() is kernels.FORMS


def test_every_form_that_is_for_speed_is_a_case() -> None:
    """So the test below asks each of them; the others are about several devices and double precision."""
    assert {name for name, *_ in CASES.values()} == set(kernels.FORMS) - {"of_all_devices", "convolve"}


@pytest.mark.parametrize(("on_gpu", "dtype"), [(True, "float32"), (False, "float64")])
def test_on_a_gpu_and_in_double_precision_the_plain_forms_are_taken(
    on_gpu: bool, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "_on_gpu", lambda: on_gpu)
    for name, shapes, rest in CASES.values():
        tensors = [tf.constant(draw(*shape), dtype) for shape in shapes]
        assert called(kernels.FORMS[name], name, tensors, rest) is NotImplemented


def test_statistics_of_two_devices_are_put_in_the_order_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first kind's groups on the first device, on the second, then the next kind's."""
    here, there = tf.constant([[0.0], [1.0], [4.0], [5.0]]), tf.constant([[2.0], [3.0], [6.0], [7.0]])
    monkeypatch.setattr(kernels.replicas, "count", lambda: 2)
    monkeypatch.setattr(kernels.replicas, "gather", lambda tensors: [tf.stack([here, there]) for _ in tensors])
    means, variances = norms.of_all_devices([here, here], norms.KindGroups((4, 4), 2))
    np.testing.assert_array_equal(means[:, 0], range(8))
    np.testing.assert_array_equal(variances, means)
