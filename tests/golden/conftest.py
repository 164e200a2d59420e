"""What golden tests share: the reference material's recipe, when it is there."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmd_tf.convert.keys import Place

SEED = 11
SIZE = (128, 64)


class Reference:
    """The released implementation's numbers: weights and pictures by its recipe, arrays by name."""

    def __init__(self, shared: Path) -> None:
        self.folder, self.keys = shared / "golden", shared / "spec" / "checkpoint_keys.json"
        specification = importlib.util.spec_from_file_location("reference_recipe", self.folder / "recipe.py")
        assert specification is not None and specification.loader is not None
        self.recipe: Any = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(self.recipe)

    def weights(self) -> dict[Place, Any]:
        files = self.recipe.checkpoints(SEED, str(self.keys), str(self.folder / "bn.npz"))
        return {
            Place(file, part, key): tensor
            for file, parts in files.items()
            for part, tensors in parts.items()
            for key, tensor in tensors.items()
        }

    def pictures(self, name: str) -> Any:
        return self.recipe.images(SEED, name, 2, *SIZE).transpose(0, 2, 3, 1)

    def arrays(self, name: str) -> dict[str, Any]:
        with np.load(self.folder / f"{name}_128x64.npz") as arrays:
            return dict(arrays)


@pytest.fixture(scope="session")
def reference() -> Reference:
    shared = Path(__file__).parents[3] / "shared"
    if not (shared / "golden").is_dir():
        pytest.skip("there is no folder shared/golden beside the checkout")
    return Reference(shared)
