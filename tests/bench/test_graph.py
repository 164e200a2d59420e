"""The size of the program that JAX's engine makes of an iteration, which compilation and an accelerator's time grow
with; and how it is counted."""

import json
import math
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from bench.operations import tflop

SMOKE = Path(__file__).parents[1] / "fixtures" / "smoke.yaml"
OPERATIONS = 14_077
"""Of the smallest configuration, with 2 % to spare. Who needs fewer says so here."""
LARGEST = 40_000
"""Of the full size."""


def counted(tmp_path: Path, *arguments: str) -> dict:
    """What the bench finds, in a process of its own: here Keras may have another backend."""
    file = tmp_path / "graph.json"
    command = [sys.executable, "-m", "bench.graph", "--json", str(file), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=SMOKE.parents[2])
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text())


def test_the_smallest_iteration_has_no_more_operations_than_before(tmp_path: Path) -> None:
    found = counted(tmp_path, "--config", str(SMOKE))
    assert found["operations"] <= 1.02 * OPERATIONS
    for number in ("operations", "called"):
        for axis in ("parts", "kinds"):
            assert sum(of[number] for of in found[axis].values()) == found[number]
    parts = {name: of["called"] for name, of in found["parts"].items()}
    assert min(parts["A draw"], parts["D judge"], parts["B and C learn"], parts["optimisers"]) > 100


@pytest.mark.slow
def test_an_iteration_of_full_size_has_few_enough_to_be_compiled_in_minutes(tmp_path: Path) -> None:
    found = counted(tmp_path)
    assert found["operations"] <= LARGEST
    assert found["tflop"] == pytest.approx(2.68, abs=0.1)  # as TensorFlow's graph, but for the gradients of R1


def test_calls_count_as_often_as_they_are_made_and_for_the_part_that_makes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # which importing it sets, for this test only
    from bench.graph import REST, SHARED, counted

    inner = jax.jit(lambda x: jnp.sin(x) * 2.0)

    def work(x):
        with jax.named_scope("draw"):
            x = inner(inner(x))
        with jax.named_scope("optimiser"):
            x = jnp.cos(inner(x))
        return lax.fori_loop(0, 3, lambda _, y: jnp.tanh(y), x).sum()

    found = counted(jax.jit(work).lower(jnp.ones(3)).compiler_ir("stablehlo"))
    assert found.called["A draw", "sine"] == 2 and found.called["optimisers", "sine"] == 1
    assert found.in_text[SHARED, "sine"] == 1 and found.in_text["optimisers", "cosine"] == 1
    assert found.called[REST, "tanh"] == 1 and found.called[REST, "reduce"] == 1


def test_arithmetic_is_that_of_the_output_pixels_whatever_the_stride_and_the_groups() -> None:
    x, kernel = jnp.ones((2, 11, 9, 6)), jnp.ones((3, 3, 3, 10))

    def convolved(x, kernel):
        numbers = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(x, kernel, (2, 2), "VALID", dimension_numbers=numbers, feature_group_count=2)

    def gradients(x, kernel):
        return jax.grad(lambda *both: (convolved(*both) ** 2).sum(), (0, 1))(x, kernel)

    once = 2 * (2 * 5 * 4 * 10) * (3 * 3 * 3) / 1e12
    assert tflop(jax.make_jaxpr(convolved)(x, kernel).jaxpr) == pytest.approx(once)
    of_x = 2 * math.prod(x.shape) * (3 * 3 * 5) / 4 / 1e12  # the borders' pixels have fewer outputs
    assert tflop(jax.make_jaxpr(gradients)(x, kernel).jaxpr) == pytest.approx(2 * once + of_x, rel=1e-3)
    product = jax.jit(lambda a, b: jnp.einsum("bij,bjk->bik", a, b))
    assert tflop(jax.make_jaxpr(product)(jnp.ones((2, 3, 4)), jnp.ones((2, 4, 5))).jaxpr) * 1e12 == 2 * 2 * 3 * 4 * 5
