"""One server of milvus-lite for all tests, each with a collection of its own."""

import itertools
from collections.abc import Callable

import pytest

COUNT = itertools.count()


@pytest.fixture(scope="session")
def milvus_server(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file that it keeps."""
    return str(tmp_path_factory.mktemp("milvus") / "m.db")


@pytest.fixture
def milvus(milvus_server: str) -> Callable[[], tuple[str, str]]:
    """The server, and the name of a collection that nobody has."""
    pytest.importorskip("milvus_lite", reason="pip install 'hicmd-tf[milvus]'")
    return lambda: (milvus_server, f"people{next(COUNT)}")
