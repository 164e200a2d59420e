"""What the explorer's tests share."""

from pathlib import Path

import pytest

from hicmd_tf.explorer.studio import Studio
from hicmd_tf.runs.opened import OpenedRun


@pytest.fixture(scope="session")
def studio(smoke_run: Path) -> Studio:
    """The smoke run, which no test may change."""
    return Studio(OpenedRun(smoke_run))
