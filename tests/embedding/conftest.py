"""What tests of embedding networks share."""

from pathlib import Path

import pytest

from hicmd_tf.config import Config, load

TESTS = Path(__file__).parents[1]


@pytest.fixture
def embedding_config(smoke_directory: Path) -> Config:
    """An embedding network of the smallest size."""
    return load(TESTS / "fixtures" / "smoke_embedding.yaml", {"data.directory": str(smoke_directory)})
