"""Forms, for JAX, of what `method.networks` computes in `keras.ops` (see `networks/fast.py`): few operations.

On an accelerator an iteration's time goes into starting its thousands of small kernels, and compilation grows with
their number. What autodiff makes of a norm or a border is several times as much as its gradient needs, so these bring
their own; each is made of differentiable operations, for R1 differentiates gradients.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax import lax

from hicmd_tf.engines.jax import replicas
from hicmd_tf.engines.jax.state import Noted, Reading
from hicmd_tf.method.networks.decoder import Perceptron
from hicmd_tf.method.networks.layers import LEAKY_SLOPE
from hicmd_tf.method.networks.norms import EPSILON, Groups, KindGroups, Normalised
from hicmd_tf.method.precision import accurate
from hicmd_tf.notation import Tensor

FORMS: dict[str, Callable[..., Any]] = {}
"""By the name of the plain form."""


def _form(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function the form of its name."""
    FORMS[function.__name__] = function
    return function


# ----------------------------------------------------------------------------------------------------- initial weights


class ByNumPy(keras.initializers.Initializer):  # type: ignore[misc]
    """Weights of the same distribution as another initialiser's, and by its seed, but made with NumPy: JAX compiles a
    program for every kind and shape, which takes longer than all else that building the networks does."""

    def __init__(self, like: Any) -> None:
        self.like = like

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Tensor:
        return jnp.asarray(self._values(shape), dtype)

    def _values(self, shape: tuple[int, ...]) -> Any:
        like = self.like
        if isinstance(like, keras.initializers.Zeros):
            return np.zeros(shape, np.float32)
        generator = np.random.default_rng(like.seed)
        if isinstance(like, keras.initializers.RandomUniform):
            return generator.uniform(like.minval, like.maxval, shape)
        standard = generator.standard_normal(shape, np.float32)
        if isinstance(like, keras.initializers.RandomNormal):
            return like.mean + like.stddev * standard
        fan = math.prod(shape[:-1]) if like.mode == "fan_in" else math.prod(shape[:-2]) * shape[-1]
        return math.sqrt(like.scale / fan) * standard


@_form
def initial(values: Any) -> Any:
    """Drawn by NumPy, in the place of a compiled program for each shape."""
    return ByNumPy(values)


# --------------------------------------------------------------------------------------------------------------- norms


@jax.custom_vjp
def _normalised(x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """x (G, .., C) in at least float32, with mean 0 and variance 1 in each channel of each group, times gamma, plus
    beta, (C,) or (G, C); the means and the biased variances (G, C), which carry no gradient."""
    return _normalise(x, gamma, beta)[0]


def _normalise(x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> tuple[tuple[Tensor, Tensor, Tensor], Any]:
    count = 1 / _entries(x)
    mean = _sums(accurate(x)) * count
    centred = accurate(x) - _over(mean, x)
    variance = _sums(centred * centred) * count
    scale = lax.rsqrt(variance + EPSILON)
    factor = scale if gamma is None else scale * gamma
    y = centred * _over(factor, x)
    return (y if beta is None else y + _over(beta, x), mean, variance), (x, gamma, mean, scale, factor)


def _normalise_back(kept: Any, upstream: Any) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """With z the result before gamma and beta, and u the gradient that arrives: of x it is
    gamma (u - mean u - z mean(u z)) / deviation, of gamma the sum of u z, of beta that of u."""
    x, gamma, mean, scale, factor = kept
    u = accurate(upstream[0])
    z = (accurate(x) - _over(mean, x)) * _over(scale, x)
    of_shift, of_scale = _sums(u), _sums(u * z)  # (G, C)
    share = factor * (1 / _entries(x))
    of_x = (u * _over(factor, x) - _over(of_shift * share, x) - z * _over(of_scale * share, x)).astype(x.dtype)
    if gamma is None:
        return of_x, None, None
    return (of_x, of_scale, of_shift) if gamma.ndim > 1 else (of_x, jnp.sum(of_scale, 0), jnp.sum(of_shift, 0))


_normalised.defvjp(_normalise, _normalise_back)


def _entries(x: Tensor) -> int:
    """Of a channel of a group."""
    return math.prod(x.shape[1:-1])


def _sums(x: Tensor) -> Tensor:
    """(G, .., C) -> (G, C)."""
    return jnp.sum(x, tuple(range(1, x.ndim - 1)))


def _over(values: Tensor, x: Tensor) -> Tensor:
    """(C,) or (G, C) in the shape of x (G, .., C)."""
    return lax.broadcast_in_dim(values, x.shape, (0, x.ndim - 1)[-values.ndim :])


@_form
def instance_norm(x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
    """`_normalised`, an image being a group of its own, with AdaIN's scale and shift of each."""
    given = (None, None) if scale is None or shift is None else (accurate(scale), accurate(shift))
    return _normalised(x, *given)[0].astype(x.dtype)


@_form
def group_norm(x: Tensor, sizes: Sequence[int], gamma: Tensor, beta: Tensor) -> Any:
    """`_normalised` of groups of equal size; others are left to the plain form, which comes back group by group."""
    if len(set(sizes)) > 1:
        return NotImplemented
    groups = x.reshape(len(sizes) or 1, -1, *x.shape[1:])  # (G, n, .., C)
    y, means, variances = _normalised(groups, gamma, beta)
    unbiased = variances * (_entries(groups) / max(_entries(groups) - 1, 1))
    return Normalised(y.astype(x.dtype).reshape(x.shape), lax.stop_gradient(means), lax.stop_gradient(unbiased))


@_form
def of_all_devices(statistics: list[Tensor], groups: KindGroups) -> Any:
    """Gathered from the replicas, and put in the order in which one device with all groups would have them."""
    if replicas.count() == 1:
        return NotImplemented
    kinds, each = len(groups.kinds), groups.each
    return [
        one.reshape(-1, kinds, each, one.shape[-1]).transpose(1, 0, 2, 3).reshape(-1, one.shape[-1])
        for one in replicas.gather(statistics)
    ]


@_form
def take_in(running: tuple[Any, Any], statistics: list[Tensor], groups: Groups, updates: int) -> Any:
    """Notes the statistics where running ones stand as one: `Values.take_in` moves those of all norms at once."""
    reading = Reading.now
    noted = reading is not None and reading.note(running[0], Noted(statistics, groups, updates))
    return None if noted else NotImplemented


# ---------------------------------------------------------------------------------------------------------------- maps


@_form
def biased(x: Tensor, bias: Tensor) -> Tensor:
    """The bias by one broadcast, so that its gradient is one sum."""
    return x + lax.broadcast_in_dim(bias, x.shape, (x.ndim - 1,))


@_form
def each_on_its_own(perceptrons: Sequence[Perceptron], inputs: Sequence[Tensor]) -> Any:
    """All perceptrons as one, of stacked weights in full precision and stacked inputs."""
    reading = Reading.now
    if reading is None:
        return NotImplemented
    x = accurate(jnp.stack(inputs))  # (K, B, D)
    for number, layers in enumerate(zip(*(perceptron.dense for perceptron in perceptrons), strict=True)):
        of_kinds = ([getattr(one, name) for one in layers] for name in ("kernel", "bias"))
        kernels, biases = (jnp.stack(reading.present(variables)) for variables in of_kinds)
        x = jnp.einsum("kbd,kdu->kbu", x if number == 0 else _leaky(x), kernels)
        x = x + lax.broadcast_in_dim(biases, x.shape, (0, 2))
    return list(x)


@_form
def beside(maps: list[Tensor]) -> Any:
    """Of twins, all maps of the visible network come first, then all of the infrared one."""
    if Reading.now is None or not Reading.now.twins:
        return NotImplemented
    y = jnp.concatenate([x.reshape(*x.shape[:-1], 2, -1) for x in maps], -1)
    return y.reshape(*y.shape[:-2], -1)


@_form
def leaky_relu(x: Tensor) -> Tensor:
    """With a gradient of two cases; autodiff of a maximum has a third, of equal arguments."""
    return _leaky(x)


@jax.custom_jvp
def _leaky(x: Tensor) -> Tensor:
    return jnp.maximum(x, LEAKY_SLOPE * x)


@_leaky.defjvp
def _leaky_tangent(primals: tuple[Tensor], tangents: tuple[Tensor]) -> tuple[Tensor, Tensor]:
    (x,), (t,) = primals, tangents
    one, slope = (jnp.asarray(value, x.dtype) for value in (1, LEAKY_SLOPE))
    return _leaky(x), t * jnp.where(x > 0, one, slope)


Mode = Literal["reflect", "symmetric"]


@_form
def mirrored(x: Tensor, pad: int, mode: Mode) -> Tensor:
    """One axis after the other, each as one concatenation."""
    return _mirrored(_mirrored(x, 1, pad, mode), 2, pad, mode)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def _mirrored(x: Tensor, axis: int, pad: int, mode: Mode) -> Tensor:
    skip, length = int(mode == "reflect"), x.shape[axis]
    before = lax.slice_in_dim(x, skip, skip + pad, axis=axis)
    after = lax.slice_in_dim(x, length - skip - pad, length - skip, axis=axis)
    return jnp.concatenate([_turned(before, axis), x, _turned(after, axis)], axis)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def _folded(u: Tensor, axis: int, pad: int, mode: Mode) -> Tensor:
    """The transpose of `_mirrored`: what fell on the border goes back to the pixels that it showed."""
    skip, length = int(mode == "reflect"), u.shape[axis] - 2 * pad
    inside = lax.slice_in_dim(u, pad, pad + length, axis=axis)
    between = length - 2 - 2 * skip
    if pad == 1 and between >= 0:
        both = lax.slice_in_dim(u, 0, None, stride=length + 1, axis=axis)
        return inside + _placed(both, axis, skip, skip, between)
    before = _turned(lax.slice_in_dim(u, 0, pad, axis=axis), axis)
    after = _turned(lax.slice_in_dim(u, pad + length, None, axis=axis), axis)
    far = length - skip - pad
    return inside + _placed(before, axis, skip, far) + _placed(after, axis, far, skip)


def _turned(x: Tensor, axis: int) -> Tensor:
    return x if x.shape[axis] == 1 else lax.rev(x, (axis,))


def _placed(x: Tensor, axis: int, before: int, after: int, between: int = 0) -> Tensor:
    """x with so many zeros before it, after it and between its entries along an axis."""
    around = [(0, 0, 0)] * x.ndim
    around[axis] = (before, after, between)
    return lax.pad(x, jnp.zeros((), x.dtype), around)


_mirrored.defvjp(lambda x, *how: (_mirrored(x, *how), None), lambda *given: (_folded(given[-1], *given[:3]),))
_folded.defvjp(lambda u, *how: (_folded(u, *how), None), lambda *given: (_mirrored(given[-1], *given[:3]),))


@_form
def convolve(x: Tensor, kernel: Tensor, stride: int, dilation: int) -> Any:
    """A convolution 1 x 1 as a matrix product; of twins, one for each."""
    if kernel.shape[:2] != (1, 1):
        return NotImplemented
    x, kernel, inputs = x[:, ::stride, ::stride] if stride > 1 else x, jnp.asarray(kernel, x.dtype), kernel.shape[2]
    if x.shape[-1] == inputs:
        return jnp.einsum("bhwc,cf->bhwf", x, kernel.reshape(inputs, -1))
    of_each = x.reshape(*x.shape[:-1], 2, -1)
    return jnp.einsum("bhwtc,ctf->bhwtf", of_each, kernel.reshape(inputs, 2, -1)).reshape(*x.shape[:-1], -1)
