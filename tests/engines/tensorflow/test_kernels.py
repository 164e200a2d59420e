"""The fast forms have the values and gradients of the plain ones, and are taken where they fit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from hicmd_tf.engines.tensorflow import kernels
from hicmd_tf.method.networks import convolutions, fast, layers, norms, upsampling

Array = np.ndarray[Any, Any]
MODULES = (layers, norms, convolutions, upsampling)

# Name: arguments that are differentiated, by their shapes; the others.
CASES: dict[str, tuple[str, list[tuple[int, ...]], dict[str, Any]]] = {
    "leaky_relu": ("leaky_relu", [(2, 4, 5, 3)], {}),
    "instance_norm": ("instance_norm", [(3, 4, 5, 6)], {}),
    "instance_norm of many": ("instance_norm", [(9, 4, 5, 6)], {}),
    "AdaIN": ("instance_norm", [(3, 4, 5, 6), (3, 6), (3, 6)], {}),
    "AdaIN of many": ("instance_norm", [(9, 4, 5, 6), (9, 6), (9, 6)], {}),
    "AdaIN of many and large": ("instance_norm", [(9, 64, 66, 6), (9, 6), (9, 6)], {}),
    "group_norm of one": ("group_norm", [(4, 3, 2, 5), (5,), (5,)], {"sizes": ()}),
    "group_norm of vectors": ("group_norm", [(6, 5), (5,), (5,)], {"sizes": (3, 3)}),
    "group_norm of unequal": ("group_norm", [(9, 3, 2, 5), (5,), (5,)], {"sizes": (2, 4, 3)}),
    "group_norm of many": ("group_norm", [(18, 3, 2, 5), (5,), (5,)], {"sizes": (2,) * 9}),
    "mirrored, reflect": ("mirrored", [(2, 6, 5, 3)], {"pad": 3, "mode": "reflect"}),
    "mirrored, symmetric": ("mirrored", [(2, 6, 5, 3)], {"pad": 1, "mode": "symmetric"}),
    "reflected_convolution": ("reflected_convolution", [(2, 8, 6, 3), (3, 3, 3, 4)], {"stride": 1, "dilation": 1}),
    "reflected_convolution of stride 2": (
        "reflected_convolution",
        [(2, 8, 6, 3), (5, 5, 3, 4)],
        {"stride": 2, "dilation": 1},
    ),
    "with_border": ("with_border", [(2, 4, 5, 3), (2, 2, 5, 3), (2, 4, 2, 3)], {}),
}


def plain(name: str) -> Callable[..., Any]:
    """The function that a form replaces, without it."""
    found = next(getattr(module, name) for module in MODULES if hasattr(module, name))
    return found.__wrapped__  # type: ignore[no-any-return]


def draw(*shape: int, seed: int = 0) -> Array:
    return 1.5 + np.random.default_rng(seed).normal(size=shape)


def values_and_gradients(function: Callable[..., Any], shapes: list[tuple[int, ...]], dtype: str, **rest: Any) -> Any:
    tensors = [tf.constant(draw(*shape, seed=seed), dtype) for seed, shape in enumerate(shapes)]
    if "sizes" in rest:
        x, *scales = tensors

        def call() -> Any:
            return function(x, rest["sizes"], *scales)
    else:

        def call() -> Any:
            return function(*tensors, **rest)

    with tf.GradientTape() as tape:
        tape.watch(tensors)
        found = call()
        y = found[0] if isinstance(found, tuple) else found
        total = tf.reduce_sum(y * tf.constant(draw(*y.shape, seed=9) - 1.5, y.dtype))
    return [*(found if isinstance(found, tuple) else [found]), *tape.gradient(total, tensors)]


@pytest.mark.parametrize("case", CASES)
def test_forms_have_the_values_and_gradients_of_the_plain_ones(case: str) -> None:
    name, shapes, rest = CASES[case]
    got = values_and_gradients(kernels.FORMS[name], shapes, "float32", **rest)
    wanted = values_and_gradients(plain(name), shapes, "float64", **rest)
    for one, other in zip(got, wanted, strict=True):
        assert one.shape == other.shape
        scale = max(1.0, float(tf.reduce_max(tf.abs(other))))
        np.testing.assert_allclose(one / scale, tf.cast(other / scale, "float32"), atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_plain_forms_agree_with_themselves_in_bfloat16(case: str) -> None:
    """Large maps may be bfloat16; norms' parameters stay float32."""
    name, shapes, rest = CASES[case]
    own = name in ("instance_norm", "group_norm")
    tensors = [tf.constant(draw(*s, seed=i), "float32" if own and i else "bfloat16") for i, s in enumerate(shapes)]
    for function in (kernels.FORMS[name], plain(name)):
        found = function(tensors[0], rest["sizes"], *tensors[1:]) if "sizes" in rest else function(*tensors, **rest)
        y = found[0] if isinstance(found, tuple) else found
        assert y.dtype == "bfloat16"
        assert all(statistic.dtype == "float32" for statistic in (found[1:] if isinstance(found, tuple) else ()))


def test_a_dilated_convolution_in_float64_has_the_gradients_of_float32() -> None:
    """TensorFlow has none of its own there."""
    shapes, rest = [(2, 8, 9, 3), (3, 3, 3, 4)], {"stride": 1, "dilation": 2}
    double = values_and_gradients(kernels.FORMS["convolve"], shapes, "float64", **rest)
    single = values_and_gradients(plain("convolve"), shapes, "float32", **rest)
    for one, other in zip(single, double, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


def test_every_form_replaces_a_plain_one() -> None:
    assert all(plain(name) for name in kernels.FORMS)
    assert fast._forms() is kernels.FORMS


def test_on_a_gpu_and_in_double_precision_the_plain_forms_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {name: (shapes, rest) for name, shapes, rest in CASES.values()}
    single = {name: values for name, (values, _) in kinds.items()}
    for on_gpu, dtype in ((True, "float32"), (False, "float64")):
        monkeypatch.setattr(kernels, "_on_gpu", lambda on_gpu=on_gpu: on_gpu)
        for name, shapes in single.items():
            tensors = [tf.constant(draw(*shape), dtype) for shape in shapes]
            rest = kinds[name][1]
            x, *others = tensors
            arguments = (x, rest["sizes"], *others) if "sizes" in rest else tuple(tensors)
            rest = {key: value for key, value in rest.items() if key != "sizes"}
            assert kernels.FORMS[name](*arguments, **rest) is NotImplemented


def test_statistics_of_two_devices_are_put_in_the_order_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first kind's groups on the first device, on the second, then the next kind's."""
    here, there = tf.constant([[0.0], [1.0], [4.0], [5.0]]), tf.constant([[2.0], [3.0], [6.0], [7.0]])
    monkeypatch.setattr(kernels.replicas, "count", lambda: 2)
    monkeypatch.setattr(kernels.replicas, "gather", lambda tensors: [tf.stack([here, there]) for _ in tensors])
    means, variances = norms.of_all_devices([here, here], norms.KindGroups((4, 4), 2))
    np.testing.assert_array_equal(means[:, 0], range(8))
    np.testing.assert_array_equal(variances, means)
