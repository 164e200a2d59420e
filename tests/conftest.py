"""What all tests share."""

import contextlib
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from hicmd_tf.config import Config, load

# pymilvus configures logging anew, at which absl's handler closes the stream that it writes to. If that is the one by
# which a test's output is captured, nothing goes on: so pymilvus comes before absl, which TensorFlow imports.
with contextlib.suppress(ImportError):
    import pymilvus  # noqa: F401

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

TESTS = Path(__file__).parent

# No test's outcome hangs on time, and in CI not on luck either.
settings.register_profile(
    "hicmd_tf", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("hicmd_tf")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random numbers for every test, whichever ran before. Importing Keras takes seconds: only if it is."""
    keras = sys.modules.get("keras")
    if keras is not None:
        keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def smoke_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the smoke configuration's drawn pictures, kept for the whole session."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def smoke_config(smoke_directory: Path) -> Config:
    """Every part of the method at the smallest size."""
    return load(TESTS / "fixtures" / "smoke.yaml", {"data.directory": str(smoke_directory)})


@pytest.fixture(scope="session")
def smoke_run(smoke_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of the smoke configuration with a checkpoint of initial weights, which no test may change."""
    import keras

    from hicmd_tf.networks.build import build_networks
    from hicmd_tf.training.checkpoints import Checkpoints
    from hicmd_tf.training.hicmd import HiCMD
    from hicmd_tf.training.optimisers import make_optimisers
    from hicmd_tf.training.run_folder import RunFolder

    config = load(TESTS / "fixtures" / "smoke.yaml", {"data.directory": str(smoke_directory)})
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "smoke")
    folder.begin(config, resume=False)
    keras.utils.set_random_seed(0)  # the same weights, whichever test asks first
    model = HiCMD(build_networks(config.networks, classes=6), config)
    model.compile(make_optimisers(config.optimisers))
    Checkpoints(model, folder.checkpoints).save()
    return folder.path


@pytest.fixture
def shared() -> Path:
    """The folder of reference material beside the checkout; the test is skipped where there is none."""
    folder = TESTS.parents[1] / "shared"
    if not folder.is_dir():
        pytest.skip("there is no folder shared/ beside the checkout")
    return folder
