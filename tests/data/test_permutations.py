"""rand_perm_cam.mat, whoever wrote it."""

from pathlib import Path

import drawn_trees as trees
import numpy as np
import pytest
from scipy.io import savemat

from hicmd_tf.data.sources.sysu_mm01 import find_permutations, read_permutations
from hicmd_tf.errors import UserError


def rows(count: int) -> np.ndarray:
    return np.array([np.random.default_rng(3).permutation(count) + 1 for _ in range(10)])


def test_permutations_come_back(tmp_path: Path) -> None:
    (tmp_path / "exp").mkdir()
    assert find_permutations(tmp_path) is None
    written = {(1, 1): rows(3), (6, 4): rows(12)}
    trees.permutations(tmp_path / "exp" / "rand_perm_cam.mat", written)
    found = read_permutations(find_permutations(tmp_path))
    assert found.keys() == written.keys()
    for key in written:
        np.testing.assert_array_equal(found[key], written[key])


@pytest.mark.parametrize(
    "stored",
    [
        None,
        b"no matlab",
        {"other": np.zeros(3)},
        {"rand_perm_cam": np.zeros((3, 3))},
        np.array([[1, 2, 4]] * 10),
        np.array([[1, 2, 3]] * 9),
    ],
    ids=["missing", "text", "another name", "numbers", "beyond", "nine rows"],
)
def test_anything_else_is_one_line(tmp_path: Path, stored: object) -> None:
    if isinstance(stored, bytes):
        (tmp_path / "a.mat").write_bytes(stored)
    elif isinstance(stored, dict):
        savemat(tmp_path / "a.mat", stored)
    elif stored is not None:
        trees.permutations(tmp_path / "a.mat", {(1, 1): stored})
    with pytest.raises(UserError, match=r"a\.mat can't be read as SYSU-MM01's permutations \(.+\): take") as refusal:
        read_permutations(tmp_path / "a.mat")
    assert "\n" not in str(refusal.value)
