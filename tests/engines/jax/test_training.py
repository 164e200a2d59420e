"""Several iterations a call: which of them failed is found, and nothing of it stays. With arithmetic for a model."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hicmd_tf.config import Config, with_values
from hicmd_tf.data.batches import REAL, BatchPlanner, batches
from hicmd_tf.data.datasets import load
from hicmd_tf.method.schedule import LOGGED

pytest.importorskip("jax", reason="JAX is not installed: pip install 'hicmd-tf[jax]'")

import jax.numpy as jnp

from hicmd_tf.engines.jax import training
from hicmd_tf.engines.jax.learner import prepared


class Sum:
    """A state of one number, to which every iteration adds its step, counted from 0. bad: the step that adds `what`."""

    mesh, joined, networks_end, logged = None, True, 1, LOGGED

    def __init__(self, bad: int, what: float) -> None:
        self.bad, self.what, self.step, self.calls = bad, what, 0, []
        self.state = [jnp.zeros(())]
        self.variables = [SimpleNamespace(path="the sum")]
        self.numbers = SimpleNamespace(values=dict)

    def values(self) -> list[Any]:
        return self.state

    def assign(self, values: list[Any]) -> None:
        self.state = values

    def count(self, step: int) -> None:
        self.step = step

    def rates(self, step: int) -> np.ndarray[Any, Any]:
        return np.float32(step)

    def several(self, values: list[Any], batches: Any, count: Any, store: Any, weights: Any) -> Any:
        (total,), rows = values, []
        self.calls.append(int(count))
        for step in np.asarray(batches["rates"])[:count]:
            total = total + (self.what if step == self.bad else step)
            rows.append(np.full(len(LOGGED), total))
        return [total], np.array(rows)


@pytest.mark.parametrize("what", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("bad", [0, 6, 9, 10, 24])
def test_the_failing_iteration_of_a_call_is_found_and_the_state_is_that_before_it(
    bad: int, what: float, smoke_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CALL", 10)
    samples = load(smoke_config.data).train
    planner = BatchPlanner(samples, smoke_config.batch, smoke_config.data.height, smoke_config.data.width, 3)
    model, losses = Sum(bad, what), []
    iterations = training.Training(model, planner, samples, 0, 30)  # type: ignore[arg-type]
    while True:
        done = iterations.advance(30 - len(losses))
        losses += done.losses
        if done.failed is not None:
            break
    assert len(losses) == bad == model.step
    assert [of["cross"] for of in losses] == np.cumsum(range(bad)).tolist()
    assert float(model.state[0]) == sum(range(bad))
    assert done.failed.spoilt == ["the sum"] and set(done.failed.losses) == set(LOGGED)
    assert not abs(done.failed.losses["cross"]) < 1e19
    assert len(model.calls) == bad // 10 + 1 + bad % 10 + 1  # whole calls, the one that failed, one by one up to it


CHANGES = [{}, {"batch.pad": 3, "batch.channel_exchange": 0.5}, {"batch.brightness": 0.5, "batch.blur": 0.5}]


@pytest.mark.parametrize("changes", CHANGES)
def test_a_device_is_given_what_a_batch_has(changes: dict[str, Any], smoke_config: Config) -> None:
    """Of a store, where pictures stay as they are; otherwise the changed ones."""
    config = with_values(smoke_config, changes)
    samples = load(config.data).train
    planner = BatchPlanner(samples, config.batch, config.data.height, config.data.width, 3)
    iterations = training.Training(Sum(99, 0.0), planner, samples, 0, 4)  # type: ignore[arg-type]
    assert (iterations._store is None) == ("batch.blur" in changes)
    for step, expected in enumerate(batches(planner, samples, 0, 4)):
        found = prepared(iterations._batch(step), iterations._store)
        assert found.keys() == expected.keys() - {"step"}
        for name in REAL:
            np.testing.assert_allclose(found.pop(name), expected[name], atol=1e-6)
        np.testing.assert_equal(found, {name: expected[name] for name in found})


def test_all_iterations_are_made_as_many_a_call_as_may_be(
    smoke_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CALL", 10)
    samples = load(smoke_config.data).train
    planner = BatchPlanner(samples, smoke_config.batch, smoke_config.data.height, smoke_config.data.width, 3)
    model = Sum(-1, 0.0)
    iterations = training.Training(model, planner, samples, 0, 30)  # type: ignore[arg-type]
    for most in (4, 26, 16, 6):
        iterations.advance(most)
    assert model.calls == [4, 10, 10, 6] and float(model.state[0]) == sum(range(30)) and model.step == 30
