"""Iterations of JAX's model: several a call where there is an accelerator, with nothing fetched in between."""

from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hicmd_tf.data.batches import DETAILS, Pixels, Planner, Share
from hicmd_tf.data.samples import Samples, ahead
from hicmd_tf.engines.base import Advanced, Failed
from hicmd_tf.engines.jax.devices import Workers, reporting_lost_workers
from hicmd_tf.engines.jax.learner import Learner, State
from hicmd_tf.errors import notice
from hicmd_tf.notation import Tensor

Array = np.ndarray[Any, Any]

CALL = 25  # iterations of one call, at most: Ctrl-C is heard of after it
AHEAD = 2 * CALL  # plans, or decoded batches, that are made before they are asked for
LARGEST = 1e19  # of which the square is still finite in float32


class Training:
    """See `engines.base.Training`. Decoded pictures that fit in memory, and stay as they are, go to the device once, as
    uint8."""

    def __init__(self, model: Learner, planner: Planner, samples: Samples, start: int, stop: int) -> None:
        self._model, self._workers = model, Workers(model)
        self.anyone = self._workers.anyone
        self._planner, self._step = planner, start
        pixels = Pixels(samples, planner.height, planner.width)
        kept = None if planner.repaints else pixels.kept
        self._store = None if kept is None else self._workers.replicated(kept)
        self._pixels = pixels
        self._waiting: list[dict[str, Any]] = []  # of iterations to be made again
        self._batches = ahead(self._batch, range(start, stop), AHEAD)
        self._length = CALL if model.joined else 1
        self._told = False

    def advance(self, most: int) -> Advanced:
        count = 1 if self._waiting else min(most, self._length)
        batches = self._next(count)
        if not self._told:
            kept = jax.config.values["jax_compilation_cache_dir"] is not None
            notice(f"compiling the iteration: a minute or more, {'unless JAX still has it' if kept else 'once'}")
            self._told = True
        done = self._run(batches)
        if done.failed is None or count == 1:
            return done
        self._waiting = batches[1:]  # one of them failed: one by one, which tells which
        return self._run(batches[:1])

    def _run(self, batches: list[dict[str, Any]]) -> Advanced:
        """Makes iterations at once; where one fails, the state stays what it was before all of them."""
        count = len(batches)
        filled = [*batches, *[batches[-1]] * (self._length - count)]
        stacked = self._workers.shared(jax.tree.map(lambda *of_each: np.stack(of_each), *filled))
        weights = self._model.numbers.values()
        with reporting_lost_workers(self._workers.place.workers):
            values, logs = self._model.several(self._model.values(), stacked, np.int32(count), self._store, weights)
            rows = np.asarray(logs)[:count]
        losses = [dict(zip(self._model.logged, map(float, row), strict=True)) for row in rows]
        spoilt = self._spoilt(values)
        if spoilt or not np.isfinite(rows).all():
            return Advanced([], Failed(losses[-1], spoilt))
        self._model.assign(values)
        self._step += count
        self._model.count(self._step)
        return Advanced(losses)

    def _spoilt(self, values: State) -> list[str]:
        """Paths of the weights and running statistics that are non-finite, or too large."""
        variables = self._model.variables[: self._model.networks_end]
        flags = np.asarray(_too_large(values[: self._model.networks_end]))
        return [variable.path for variable, bad in zip(variables, flags, strict=True) if bad]

    def _next(self, count: int) -> list[dict[str, Any]]:
        if not self._waiting:
            return list(islice(self._batches, count))
        first, *self._waiting = self._waiting
        return [first]

    def _batch(self, step: int) -> dict[str, Any]:
        """An iteration's pictures, or their rows in the store, and all else that `Learner.several` takes, in NumPy."""
        plan = self._planner.plan(step)
        place = self._workers.place
        part = plan.part(Share(place.number, place.workers))
        rows = part["rows"]
        batch = {kind: part[kind] for kind in ("flips", *DETAILS) if kind in part}
        if self._store is None:
            ends = np.cumsum([len(of) for of in rows.values()])[:-1]
            batch["pictures"] = dict(zip(rows, np.split(self._pixels.shown(part), ends), strict=True))
        else:
            batch["rows"] = {name: of.astype(np.int32) for name, of in rows.items()}
        return {**batch, **self._planner.identities(plan), "rates": self._model.rates(step)}


@jax.jit
def _too_large(values: State) -> Tensor:
    """For each tensor whether an entry is non-finite or too large."""
    reckoned = (jnp.issubdtype(v.dtype, jnp.floating) for v in values)
    return jnp.stack(
        [
            jnp.any(~(jnp.abs(v) < LARGEST)) if does else jnp.array(False)
            for v, does in zip(values, reckoned, strict=True)
        ]
    )


class LastGood:
    """A model's state as it is now, to be given back."""

    def __init__(self, model: Learner) -> None:
        self._model, self._values, self._step = model, model.values(), model.step

    def restore(self) -> None:
        """Gives the model back what was kept."""
        self._model.assign(self._values)
        self._model.count(self._step)
