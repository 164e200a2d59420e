"""SYSU-MM01's rand_perm_cam.mat, by which its authors choose galleries; read without trusting it (imports no
TensorFlow)."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hicmd_tf.errors import UserError

Array = np.ndarray[Any, Any]
Permutations = dict[tuple[int, int], Array]

PERMUTATIONS = "rand_perm_cam.mat"
NAME = "rand_perm_cam"  # of the variable in it
ROWS = 10  # permutations of a person's pictures by a camera
LARGEST = 64 << 20  # bytes, as they lie and inflated; the authors' file has 0.3 MB and inflates to 0.6
HEAD, ELEMENT, COMPRESSED = 128, 8, 15  # of MATLAB's format 5: bytes before the elements and of one's head, its type


def find_permutations(source: Path) -> Path | None:
    """Where a SYSU-MM01 folder has them, if it does."""
    places = (source / "exp" / PERMUTATIONS, source / "data_split" / PERMUTATIONS, source / PERMUTATIONS)
    return next((place for place in places if place.is_file()), None)


def read_permutations(file: Path) -> Permutations:
    """For (camera, identity) ten permutations (10, n) of 1 .. n.

    Raises UserError for a file that is missing or something else. MATLAB's objects and functions come as data, which
    nothing calls.
    """
    from scipy.io import loadmat

    try:
        _refuse_bomb(file)
        cells = loadmat(str(file), variable_names=[NAME])[NAME]
        return dict(_permutations(cells))
    except Exception as error:  # scipy raises many kinds for damaged files
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(
            f"{file} can't be read as SYSU-MM01's permutations ({reason}): take {PERMUTATIONS} from "
            "github.com/wuancong/SYSU-MM01"
        ) from error


def _permutations(cells: Array) -> Iterator[tuple[tuple[int, int], Array]]:
    for camera, of_camera in enumerate(cells.ravel(), 1):
        for identity, cell in enumerate(of_camera.ravel(), 1):
            if not cell.size:
                continue
            rows = cell.astype(np.int64)
            if rows.ndim != 2 or len(rows) != ROWS or not (np.sort(rows) == 1 + np.arange(rows.shape[1])).all():
                raise ValueError(f"what it has of camera {camera}, identity {identity} are not {ROWS} permutations")
            yield (camera, identity), rows


def _refuse_bomb(file: Path) -> None:
    """Raises ValueError for a file that is too long, or would be when inflated, of which no more than that is tried."""
    if file.stat().st_size > LARGEST:
        raise ValueError(f"it has more than {LARGEST >> 20} MiB")
    content = file.read_bytes()
    order: Literal["little", "big"] = "little" if content[126:128] == b"IM" else "big"
    place, left = HEAD, LARGEST
    while place + ELEMENT <= len(content):
        kind, size = (int.from_bytes(content[place + i : place + i + 4], order) for i in (0, 4))
        place += ELEMENT
        if kind == COMPRESSED:
            inflating = zlib.decompressobj()
            left -= len(inflating.decompress(content[place : place + size], left + 1))
            if left < 0:
                raise ValueError(f"it would inflate to more than {LARGEST >> 20} MiB")
        place += size
