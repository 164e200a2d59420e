"""rand_perm_cam.mat, whoever wrote it."""

import tracemalloc
import zlib
from pathlib import Path

import drawn_trees as trees
import numpy as np
import pytest
from scipy.io import savemat
from scipy.io.matlab import MatlabObject

from hicmd_tf.data.sources.sysu_mm01 import find_permutations, read_permutations
from hicmd_tf.errors import UserError


def rows(count: int) -> np.ndarray:
    return np.array([np.random.default_rng(3).permutation(count) + 1 for _ in range(10)])


@pytest.mark.parametrize("compressed", [False, True])
def test_permutations_come_back(tmp_path: Path, compressed: bool) -> None:
    (tmp_path / "exp").mkdir()
    assert find_permutations(tmp_path) is None
    written = {(1, 1): rows(3), (6, 4): rows(12)}
    trees.permutations(tmp_path / "exp" / "rand_perm_cam.mat", written, do_compression=compressed)
    found = read_permutations(find_permutations(tmp_path))
    assert found.keys() == written.keys()
    for key in written:
        np.testing.assert_array_equal(found[key], written[key])


def test_a_bomb_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    content = zlib.compress(bytes(200 << 20), 1)
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    element = (15).to_bytes(4, "little") + len(content).to_bytes(4, "little") + content
    (tmp_path / "bomb.mat").write_bytes(head + element)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"bomb\.mat can't be read .* \(it would inflate to more than 64 MiB\)"):
            read_permutations(tmp_path / "bomb.mat")
        assert tracemalloc.get_traced_memory()[1] < 150 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "stored",
    [
        {"other": np.zeros(3)},
        {"rand_perm_cam": np.zeros((3, 3))},
        {"rand_perm_cam": "text"},
        np.zeros((10, 3)),
        np.array([[1, 2, 4]] * 10),
        np.array([[1, 2, 3]] * 9),
        MatlabObject(np.array([(1,)], [("run", object)]), "system"),
    ],
    ids=["another name", "numbers", "text", "zeros", "beyond", "nine rows", "an object"],
)
def test_anything_else_is_one_line(tmp_path: Path, stored: object) -> None:
    if isinstance(stored, dict):
        savemat(tmp_path / "a.mat", stored)
    else:
        trees.permutations(tmp_path / "a.mat", {(1, 1): stored})
    with pytest.raises(UserError, match=r"a\.mat can't be read as SYSU-MM01's permutations \(.+\): take") as refusal:
        read_permutations(tmp_path / "a.mat")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"no matlab", b"", b"MATLAB 5.0".ljust(126) + b"IM", None])
def test_other_files_are_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(UserError, match="can't be read as SYSU-MM01's permutations"):
        read_permutations(tmp_path / "a.mat")
