"""A run with weights of chance, exported once."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def saved_model(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of version 1, which no test may change."""
    from hicmd_tf.export.saved_model import main

    out = tmp_path_factory.mktemp("saved_model") / "hicmd"
    main(["--run", str(smoke_run), "--out", str(out), "--licence", "CC0"])
    return out / "1"


@pytest.fixture(scope="session")
def onnx_files(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of ONNX files of both precisions and inputs, which no test may change."""
    from hicmd_tf.export.onnx import main

    out = tmp_path_factory.mktemp("onnx") / "hicmd"
    main(["--run", str(smoke_run), "--out", str(out), "--floats", "--calibration", "12"])
    return out
