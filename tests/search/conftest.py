"""One server of milvus-lite for all tests, each with a collection of its own; runs without networks."""

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hicmd_tf.data.samples import Samples
from hicmd_tf.search.gallery import Gallery
from hicmd_tf.search.milvus import MilvusGallery

COUNT = itertools.count()


@pytest.fixture(scope="session")
def milvus_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("milvus") / "m.db")


@pytest.fixture(params=["folder", "milvus"])
def place(request: pytest.FixtureRequest, tmp_path: Path, milvus_file: str) -> list[str]:
    """Where a gallery is kept that nobody has yet, as options."""
    if request.param == "milvus":
        pytest.importorskip("milvus_lite", reason="pip install 'hicmd-tf[milvus]'")
        return ["--uri", milvus_file, "--collection", f"people{next(COUNT)}"]
    return ["--index", str(tmp_path / "gallery")]


@pytest.fixture
def store(place: list[str]) -> Any:
    """An empty gallery."""
    return Gallery.create(Path(place[1])) if len(place) == 2 else MilvusGallery(place[1], place[3])


@pytest.fixture
def run_that() -> Callable[..., Any]:
    """A stand-in for an opened run, which describes pictures by their files' content as a function does."""

    def made(describes: Callable[[bytes], np.ndarray], check: str = "stop") -> Any:
        def descriptors(samples: Samples) -> np.ndarray:
            return np.stack([describes(content) for content in samples.encoded])

        config = SimpleNamespace(data=SimpleNamespace(check=check, sixteen_bit=""))
        descriptor = SimpleNamespace(digest=lambda: "d" * 64)
        model = SimpleNamespace(descriptors=descriptors, descriptor=descriptor)
        return SimpleNamespace(config=config, model=model, threshold=None, trained_on=None)

    return made
