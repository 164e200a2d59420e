"""A run with random weights, exported once."""

from pathlib import Path

import pytest

from hicmd_tf.commands import main


@pytest.fixture(scope="session")
def saved_model(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of version 1, which no test may change."""
    out = tmp_path_factory.mktemp("saved_model") / "hicmd"
    main(["export", "saved-model", "--run", str(smoke_run), "--out", str(out), "--licence", "CC0"])
    return out / "1"


@pytest.fixture(scope="session")
def onnx_files(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of ONNX files of both precisions and inputs, which no test may change."""
    out = tmp_path_factory.mktemp("onnx") / "hicmd"
    main(["export", "onnx", "--run", str(smoke_run), "--out", str(out), "--floats", "--calibration", "12"])
    return out
