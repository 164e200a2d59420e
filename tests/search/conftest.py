"""One server of milvus-lite for all tests, each with a collection of its own; runs without networks."""

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hicmd_tf.data.samples import Samples

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


@pytest.fixture
def run_that() -> Callable[..., Any]:
    """A stand-in for an opened run, which describes pictures by their files' content as a function does."""

    def made(describes: Callable[[bytes], np.ndarray], check: str = "stop") -> Any:
        def descriptors(samples: Samples) -> np.ndarray:
            return np.stack([describes(content) for content in samples.encoded])

        data = SimpleNamespace(check=check, sixteen_bit="")
        length = len(describes(b""))
        config = SimpleNamespace(
            data=data, networks=SimpleNamespace(feature_learning=SimpleNamespace(embedding=length))
        )
        descriptor = SimpleNamespace(digest=lambda: "d" * 64)
        return SimpleNamespace(config=config, model=SimpleNamespace(descriptors=descriptors, descriptor=descriptor))

    return made
