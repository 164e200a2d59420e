"""Archives of untrusted hands: nothing runs, and what is no array is one line."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from hicmd_tf.arrays import read_arrays
from hicmd_tf.errors import UserError


class Trap:
    """Unpickled, it would leave a file."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> object:
        return Path.touch, (self.sprung,)


def header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue()


def packed(name: str, member: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, member)
    return file.getvalue()


def test_arrays_come_back(tmp_path: Path) -> None:
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", x=np.arange(3.0), y=np.array("text"))
        found = read_arrays(tmp_path / "a.npz", "numbers")
        assert found["x"].tolist() == [0, 1, 2] and str(found["y"]) == "text"


def test_objects_are_refused_and_run_nothing(tmp_path: Path) -> None:
    trap = np.array([Trap(tmp_path / "sprung")], object)
    np.savez(tmp_path / "a.npz", x=np.zeros(2), names=trap)
    np.load(tmp_path / "a.npz", allow_pickle=True)["names"]
    (tmp_path / "sprung").unlink()  # the trap is a real one
    with pytest.raises(UserError, match=r"a\.npz can't be read as numbers \(Object arrays cannot be loaded"):
        read_arrays(tmp_path / "a.npz", "numbers")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "content",
    [
        packed("x.npy", header((10**6, 10**6))),
        packed("x.npy", header((3,)) + bytes(4)),
        packed("x.npy", header((3,))[:20]),
        packed("x.npy", b"\x93NUMPY\x01\x00\x0a\x00" + b"(" * 10),
        packed("x", b"no array"),
        packed("x.npy", b"")[-22:],
        b"text",
        header((3,)) + bytes(12),
        None,
    ],
    ids=["a trillion", "short", "half a head", "no head", "no array", "only an end", "text", "one array", "nothing"],
)
def test_what_is_no_archive_of_arrays_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.npz can't be read as numbers \(.+\): expected an \.npz file") as said:
        read_arrays(tmp_path / "a.npz", "numbers")
    assert "\n" not in str(said.value)
