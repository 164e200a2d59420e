"""Every form of the losses and of sampling gives with JAX what it gives with TensorFlow."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jax", reason="JAX is not installed: pip install 'hicmd-tf[jax]'")

TESTS = Path(__file__).parents[2]
STEPS = Path(__file__).with_name("first_steps.py")
SMOKE = TESTS / "fixtures" / "smoke.yaml"
DEADLINE = 1200  # seconds, only so that a hang ends
SMALLEST = {
    "networks.prototype_encoder.residual_blocks": 0,
    "networks.decoder.residual_blocks": 1,
    "networks.discriminator.scales": 1,
    "networks.discriminator.residual_blocks": 0,
    "networks.feature_learning.dropout": 0.0,  # engines draw other numbers
    "batch.erasing": 0.5,
}
CASES: dict[str, dict[str, Any]] = {
    "released": {},
    "all others": {
        "sampling.detach_generated": False,
        "sampling.groups": "paper",
        "batch.norm_groups": 2,
        "losses.adversarial_form": "log",
        "losses.kl_form": "gaussian",
        "losses.triplet_form": "euclidean",
        "losses.gradient_penalty": 0.0,
    },
    "original": {"sampling.groups": "original", "batch.negatives": 0},
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Losses by engine, case and step."""
    folder = tmp_path_factory.mktemp("forms")
    losses = {}
    for engine in ("tensorflow", "jax"):
        given = {**SMALLEST, "data.directory": str(folder / "data"), "training.engine": engine}
        cases = json.dumps({name: {**given, **of} for name, of in CASES.items()})
        more = {
            "PYTHONPATH": str(TESTS.parent),
            "KERAS_BACKEND": engine,
            "JAX_ENABLE_X64": "1",
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
        }
        command = [sys.executable, str(STEPS), str(SMOKE), cases, str(folder)]
        done = subprocess.run(
            command, env={**os.environ, **more}, capture_output=True, text=True, timeout=DEADLINE, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        losses[engine] = json.loads((folder / f"{engine}.json").read_text())
    return losses


@pytest.mark.slow
@pytest.mark.xdist_group("jax forms")
@pytest.mark.parametrize("name", CASES)
def test_losses_of_both_engines_are_equal(name: str, found: dict[str, Any]) -> None:
    ours, theirs = found["jax"][name], found["tensorflow"][name]
    assert len(ours) == len(theirs) == 2 and ours[0] != ours[1]
    # Adam's first step divides by gradients that are nothing but rounding, and so makes it large.
    for one, other, tolerance in zip(ours, theirs, (1e-5, 1e-3), strict=True):
        assert one == pytest.approx(other, rel=tolerance, abs=1e-7)
