"""A run with random weights, exported once, whichever process of the test run asks first."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf
from filelock import FileLock

from hicmd_tf.commands import main


@pytest.fixture(autouse=True)
def exported_graphs(graphs: None) -> None:
    """These tests are about graphs."""


def _once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that all of pytest-xdist's processes share."""
    base = factory.getbasetemp()
    base = base.parent if base.name.startswith("popen-") else base
    folder = base / name
    with FileLock(base / f"{name}.lock"):
        if not folder.exists():
            tf.config.run_functions_eagerly(False)
            make(folder)
    return folder


@pytest.fixture(scope="session")
def saved_model(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of version 1, which no test may change."""

    def make(out: Path) -> None:
        main(["export", "saved-model", "--run", str(smoke_run), "--out", str(out), "--licence", "CC0"])

    return _once(tmp_path_factory, "saved_model", make) / "1"


@pytest.fixture(scope="session")
def onnx_files(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of ONNX files of both precisions and inputs, which no test may change."""

    def make(out: Path) -> None:
        main(["export", "onnx", "--run", str(smoke_run), "--out", str(out), "--floats", "--calibration", "12"])

    return _once(tmp_path_factory, "onnx", make)
