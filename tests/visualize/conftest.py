"""A run that figures are made of."""

import json
import shutil
from pathlib import Path

import pytest

from hicmd_tf.runs.opened import OpenedRun

FIGURES = {name: 0.25 for name in ("rank1", "rank5", "rank10", "rank20", "mAP", "mINP")}


@pytest.fixture(scope="session")
def run(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> OpenedRun:
    """The smoke run with a file that says how its untrained networks did; no test may change it."""
    folder = tmp_path_factory.mktemp("figures") / "smoke"
    shutil.copytree(smoke_run, folder)
    before = {"visible_to_infrared": FIGURES, "infrared_to_visible": FIGURES}
    (folder / "untrained.json").write_text(json.dumps(before))
    return OpenedRun(folder)
