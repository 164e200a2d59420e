"""What all tests share."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from hicmd_tf.config import Config, load

# pymilvus configures logging anew, at which absl's handler closes the stream that it writes to. If that is the one by
# which a test's output is captured, nothing goes on: so pymilvus comes before absl, which TensorFlow imports.
with contextlib.suppress(ImportError):
    import pymilvus  # noqa: F401

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# The smoke configuration's threads, whichever test computes first, and in the processes that tests start: with others,
# sums have other bits.
os.environ.update(TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="2")

# Few iterations of small networks take less time without XLA's optimisations than these take.
if os.environ.get("KERAS_BACKEND") == "jax":
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")

TESTS = Path(__file__).parent

# No test's outcome depends on time, and in CI not on luck either.
settings.register_profile(
    "hicmd_tf",
    max_examples=25,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("many", settings.get_profile("hicmd_tf"), max_examples=2000, derandomize=False)
settings.load_profile("hicmd_tf")


LONGEST = (
    "end_to_end/test_matrix.py",
    "tuning/test_search.py",
    "engines/several/test_devices.py",
    "end_to_end/test_fit.py",
    "export/test_server.py",
)


def pytest_configure() -> None:
    """Before anything is imported that computes."""
    with contextlib.suppress(ImportError):  # which comes with TensorFlow
        import wrapt

        # A fixture may be the first that imports TensorFlow: what it computes has the bits of what tests compute.
        wrapt.register_post_import_hook(lambda _: without_graphs(), "tensorflow")
    if "JAX_ENABLE_X64" in os.environ and os.environ.get("KERAS_BACKEND") == "jax":
        from double_precision import set_up

        set_up()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that two processes which share the files end together."""
    rank = {str(TESTS / name): number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(str(item.path), len(rank)))


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random numbers for every test, whichever ran before. Importing Keras takes seconds: only if it is."""
    keras = sys.modules.get("keras")
    if keras is not None:
        keras.utils.set_random_seed(0)


def without_graphs() -> None:
    """They take longer to trace than the few iterations and pictures of a test."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None:
        tensorflow.config.run_functions_eagerly(True)


def pytest_collection_finish() -> None:
    """Modules of tests are imported, and fixtures not yet made."""
    without_graphs()


def pytest_runtest_setup() -> None:
    """A test before may have been the first that imported TensorFlow."""
    without_graphs()


@pytest.fixture
def graphs() -> Iterator[None]:
    """With graphs, for what is about them; as they are traced, for improving them takes longer than to run them twice.
    The bits are others; both sides of a comparison must be computed so, or neither."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(False)
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False, **before})


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
    from hicmd_tf.runs.checkpoints import write
    from hicmd_tf.runs.folder import RunFolder
    from hicmd_tf.training.experiment import build_model

    config = load(TESTS / "fixtures" / "smoke.yaml", {"data.directory": str(smoke_directory)})
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "smoke")
    folder.begin(config, resume=False)
    model = build_model(config, classes=6)
    write(folder.checkpoints, model.step, model.state, notes={})
    return folder.path


@pytest.fixture
def shared() -> Path:
    """The folder of reference material beside the checkout; the test is skipped where there is none."""
    folder = TESTS.parents[1] / "shared"
    if not folder.is_dir():
        pytest.skip("there is no folder shared/ beside the checkout")
    return folder


class Browser:
    """A real browser without a window. errors: what its pages' consoles said that is wrong, and what failed to load.
    requests: addresses that its pages asked for."""

    CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")

    def __init__(self, started: Any) -> None:
        self._started = started
        self.errors: list[str] = []
        self.requests: list[str] = []

    def open(self, address: str, width: int = 1280, height: int = 900, scheme: str = "light") -> Any:
        """A Playwright page at an address, in a window of so many pixels, light or dark."""
        page = self._started.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.on("console", lambda line: self.errors.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("requestfailed", lambda request: self.errors.append(f"{request.url} failed"))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(address)
        return page


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A headless Chromium; where the machine has none, the test is skipped, but in CI it fails."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, Browser.CHROMIUM)), None)
    if chromium is None:
        message = "no Chromium on this machine: apt-get install chromium"
        if "CI" in os.environ:
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(Browser.QUIET))
        try:
            yield Browser(started)
        finally:
            started.close()
