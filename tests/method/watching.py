"""What an iteration computes on its way, seen from outside, with either engine.

JAX traces an iteration, so that what can be caught there has no numbers. A callback hands them over when it runs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import keras
import pytest

ON_JAX = keras.backend.backend() == "jax"


class Seen:
    """gradients: by the variable's id, as they are handed to its optimiser; None where there is none. results: of
    functions by name. Of the last iteration."""

    def __init__(self) -> None:
        self.gradients: dict[int, Any] = {}
        self.results: dict[str, Any] = {}


@contextmanager
def watched(model: Any, functions: dict[str, ModuleType] | None = None, learning: bool = True) -> Iterator[Seen]:
    """Inside, iterations show their gradients, and results of functions, given by name with the module that calls them.

    learning: whether gradients go on to the optimisers.
    """
    seen, apply = Seen(), model.engine.apply

    def watching_apply(part: Any, gradients: Any) -> None:
        _hand_over(_by_variable(model.engine, part, gradients), seen.gradients.update)
        if learning:
            apply(part, gradients)

    def watching(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            results = function(*arguments)
            _hand_over(results, lambda found: seen.results.update({name: found}))
            return results

        return run

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(model.engine, "apply", watching_apply)
        for name, module in (functions or {}).items():
            patched.setattr(module, name, watching(name, getattr(module, name)))
        _forget_compiled(model)
        yield seen
    _forget_compiled(model)


@contextmanager
def at_rest(model: Any) -> Iterator[None]:
    """Iterations inside compute everything, and leave the weights alone: all rates are zero."""
    rates = [optimiser.schedule.rate for optimiser in model.optimisers.by_part().values()]
    before = [float(rate) for rate in rates]
    for rate in rates:
        rate.assign(0.0)
    yield
    for rate, value in zip(rates, before, strict=True):
        rate.assign(value)


def iterate(model: Any, batch: Any) -> dict[str, float]:
    """One iteration; when it returns, all that it shows has been seen."""
    logs = {name: float(value) for name, value in model.train_step(batch).items()}
    if ON_JAX:
        import jax

        jax.effects_barrier()
    return logs


def at_once(model: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    """A function of tensors that reads the networks; with JAX compiled, for to compile its operations one by one takes
    longer."""
    if not ON_JAX:
        return function(*arguments)
    from hicmd_tf.engines.jax.compiling import compiled

    return compiled(function, list(model.networks.variables().values()))(*arguments)


def _hand_over(values: Any, keep: Callable[[Any], Any]) -> None:
    """Calls `keep` with the values once they are there."""
    if ON_JAX:
        import jax

        jax.debug.callback(keep, values)
    else:
        keep(values)


def _by_variable(engine: Any, part: Any, gradients: Any) -> dict[int, Any]:
    if not ON_JAX:
        return {id(v): g for v, g in zip(engine.optimisers[part][1], gradients, strict=True)}
    found: dict[int, Any] = {}
    for index, gradient in zip(engine.leaves.of_part[part], gradients, strict=True):
        leaf = engine.leaves.all[index]  # two modalities' variables may stand as one array
        each = [None] * len(leaf.variables) if gradient is None else leaf.apart(gradient)
        found.update({id(v): g for v, g in zip(leaf.variables, each, strict=True)})
    return found


def _forget_compiled(model: Any) -> None:
    """What JAX's engine has compiled is of the iteration with, or without, who watches."""
    if ON_JAX:
        model.__dict__.pop("_single", None)
