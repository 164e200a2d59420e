"""Makes the stored values of `test_fixture_parity.py`: python tests/golden/make_fixtures.py

They are our own float64 results, for weights and pictures of `golden_recipe.py`. They stand for the released
implementation's because the same code gives its values (`test_golden_inference.py`, `test_golden_training.py`, which
need ../shared/golden): so run those first (make test-golden) and make these only from code that passes.

full.npz: the full-size networks in inference mode, every array thinned out. reduced.npz: losses, rows of HFL, gradient
norms, three iterations and batch norm statistics of networks with every kind of block, narrower.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parents[1])]

from golden_fixture import full_inference, full_weights, reduced  # noqa: E402


def main() -> None:
    """Computes and writes both files."""
    for name, arrays in (("full", full_inference("float64", full_weights())), ("reduced", reduced("float64"))):
        stored: dict[str, Any] = {key: small(key, value) for key, value in arrays.items()}
        np.savez_compressed(FOLDER / f"{name}.npz", **stored)
        print(name, len(stored), "arrays,", (FOLDER / f"{name}.npz").stat().st_size, "bytes")


def small(key: str, value: Any) -> Any:
    """Arrays in float32, single numbers as they are."""
    return np.asarray(value, np.float32) if np.ndim(value) else np.asarray(value)


if __name__ == "__main__":
    main()
