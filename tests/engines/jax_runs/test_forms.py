"""Every form of the losses, of sampling and of embedding networks gives with JAX what it gives with TensorFlow."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

pytest.importorskip("jax", reason="JAX is not installed: pip install 'hicmd-tf[jax]'")

TESTS = Path(__file__).parents[2]
STEPS = Path(__file__).with_name("first_steps.py")
SMOKE, EMBEDDING = (TESTS / "fixtures" / name for name in ("smoke.yaml", "smoke_embedding.yaml"))
DEADLINE = 1200  # seconds, only so that a hang ends
SMALLEST = {
    "networks.prototype_encoder.residual_blocks": 0,
    "networks.decoder.residual_blocks": 1,
    "networks.discriminator.scales": 1,
    "networks.discriminator.residual_blocks": 0,
    "networks.feature_learning.dropout": 0.0,  # engines draw other numbers
    "batch.pad": 3,
    "batch.erasing": 0.5,
    "batch.channel_exchange": 0.5,
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
EMBEDDINGS: dict[str, dict[str, Any]] = {
    "shared": {"batch.norm_groups": 2, "embedding.head_factor": 3.0},
    "two": {"embedding.stem": "two", "embedding.own_stages": 1, "embedding.optimiser": "adam"},
    "zero_padded": {
        "embedding.stem": "zero_padded",
        "embedding.neck": False,
        "embedding.pooling_power": 1.0,
        "embedding.schedule": "cosine",
        "losses.triplet_form": "cosine",
        "training.frozen": ["fronts"],
    },
}


class Found(NamedTuple):
    """What both engines gave. losses: by engine, case and step. folder: where the states are."""

    losses: dict[str, dict[str, list[dict[str, float]]]]
    folder: Path

    def state(self, name: str, engine: str) -> dict[str, np.ndarray]:
        """After a case's steps."""
        with np.load(self.folder / f"{name}.{engine}.npz") as arrays:
            return dict(arrays)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("forms")
    losses = {}
    for engine in ("tensorflow", "jax"):
        given = {"data.directory": str(folder / "data"), "training.engine": engine}
        cases = {name: [str(SMOKE), {**SMALLEST, **given, **of}] for name, of in CASES.items()}
        cases |= {name: [str(EMBEDDING), {**given, **of}] for name, of in EMBEDDINGS.items()}
        more = {
            "PYTHONPATH": os.pathsep.join(map(str, (TESTS.parent, TESTS / "method"))),
            "KERAS_BACKEND": engine,
            "JAX_ENABLE_X64": "1",
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
        }
        command = [sys.executable, str(STEPS), json.dumps(cases), str(folder)]
        done = subprocess.run(
            command, env={**os.environ, **more}, capture_output=True, text=True, timeout=DEADLINE, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        losses[engine] = json.loads((folder / f"{engine}.json").read_text())
    return Found(losses, folder)


@pytest.mark.slow
@pytest.mark.xdist_group("jax forms")
@pytest.mark.parametrize("name", CASES)
def test_losses_of_both_engines_are_equal(name: str, found: Found) -> None:
    ours, theirs = found.losses["jax"][name], found.losses["tensorflow"][name]
    assert len(ours) == len(theirs) == 2 and ours[0] != ours[1]
    # Adam's first step divides by gradients that are nothing but rounding, and so makes it large.
    for one, other, tolerance in zip(ours, theirs, (1e-5, 1e-3), strict=True):
        assert one == pytest.approx(other, rel=tolerance, abs=1e-7)


@pytest.mark.slow
@pytest.mark.xdist_group("jax forms")
@pytest.mark.parametrize("name", EMBEDDINGS)
def test_embedding_networks_of_both_engines_are_equal(name: str, found: Found) -> None:
    """Losses, weights, running statistics and moments."""
    ours, theirs = found.losses["jax"][name], found.losses["tensorflow"][name]
    assert len(ours) == len(theirs) == 2 and ours[0] != ours[1]
    for one, other in zip(ours, theirs, strict=True):
        assert one == pytest.approx(other, rel=1e-10)
    one, other = (found.state(name, engine) for engine in ("jax", "tensorflow"))
    assert one.keys() == other.keys()
    for key, value in one.items():
        np.testing.assert_allclose(value, other[key], rtol=1e-8, atol=1e-10, err_msg=key)
