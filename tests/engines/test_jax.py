"""What is asked of JAX's engine, in a process of its own: Keras chooses its backend once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
JAX = {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}

OF_THE_ENGINE = [str(TESTS / "engines" / "jax" / f"test_{name}.py") for name in ("engine", "kernels")]


def run_with_jax(*arguments: str) -> None:
    pytest.importorskip("jax")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | JAX
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_golden_values_are_those_of_both_engines_and_the_engine_keeps_its_promises() -> None:
    run_with_jax(str(TESTS / "golden"), *OF_THE_ENGINE)


@pytest.mark.slow
def test_of_the_engine_what_takes_longer() -> None:
    run_with_jax("-m", "slow", *OF_THE_ENGINE)
