"""An iteration of JAX's engine as a program: how long it takes to make, and the arithmetic in it."""

import math
import time
from collections.abc import Iterator
from typing import Any

SEED = 777
CLASSES = 206  # training identities of the data sets that the method was published with
SIZES = ("data.height", "data.width", "batch.", "networks.", "losses.", "sampling.", "optimisers.", "training.memory")
"""How settings begin that an iteration's program depends on, but for its precision."""

Seconds = dict[str, float]


def timed_model(config: Any, joined: bool | None = None) -> tuple[Any, Seconds]:
    """A model with random weights and its optimisers; the seconds that importing, building the networks, and making
    the optimisers took. joined: as `Learner` has it."""
    begin = time.perf_counter()
    import keras

    from hicmd_tf.engines.jax.learner import Learner
    from hicmd_tf.method.networks.build import build_networks
    from hicmd_tf.method.precision import computing_in
    from hicmd_tf.training.optimisers import make_optimisers

    imported = time.perf_counter()
    keras.utils.set_random_seed(SEED)
    with computing_in(config.training.precision):
        networks = build_networks(config.networks, CLASSES, restored=True)
    built = time.perf_counter()
    model = Learner(networks, config, joined=joined)
    model.compile(make_optimisers(config))
    made = time.perf_counter()
    return model, {"import": imported - begin, "networks": built - imported, "optimisers": made - built}


def tflop(jaxpr: Any) -> float:
    """10^12 additions and multiplications of all convolutions and matrix products of a program; a loop's body counts
    once. Zeros that a strided convolution's gradient puts between its pixels do not count."""
    return sum(_flop(equation) for equation in equations(jaxpr)) / 1e12


def equations(jaxpr: Any) -> Iterator[Any]:
    """Those of a program and, at each of their calls, of the functions that it calls."""
    for equation in jaxpr.eqns:
        below = [one for value in equation.params.values() for one in _programs(value)]
        for one in below:
            yield from equations(one)
        if not below:
            yield equation


def _programs(value: Any) -> list[Any]:
    """Programs among the parameters of an operation."""
    several = value if isinstance(value, tuple | list) else [value]
    closed = [getattr(one, "jaxpr", one) for one in several]
    return [one for one in closed if hasattr(one, "eqns")]


def _flop(equation: Any) -> int:
    operands, result = [v.aval.shape for v in equation.invars], equation.outvars[0].aval.shape
    if equation.primitive.name == "conv_general_dilated":
        numbers = equation.params["dimension_numbers"]
        _, inputs, *spatial = numbers.rhs_spec
        seen = operands[1][inputs] * math.prod(operands[1][axis] for axis in spatial)
        return 2 * math.prod(result) * seen // math.prod(equation.params["lhs_dilation"])
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        return 2 * math.prod(result) * math.prod(operands[0][axis] for axis in contracted)
    return 0
