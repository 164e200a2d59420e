"""NumPy archives (.npz) of anyone's making: nothing in them is unpickled, and they are bounded before they inflate."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.errors import UserError

Array = np.ndarray[Any, Any]

ALWAYS = 256 << 20  # bytes that an archive may hold, however small its file is
RATIO = 20  # so many times its file may a larger one hold; descriptors hardly shrink, a bomb's zeros shrink 1000 times


def read_arrays(file: Path, what: str) -> dict[str, Array]:
    """The arrays of an archive by name. what: for the message, what it should be read as.

    Raises UserError for a file that is missing, damaged, would unpickle something, or holds far more than it is long.
    """
    try:
        if not file.is_file():
            raise FileNotFoundError("there is no such file")
        _refuse_bomb(file)
        with np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        for key, found in arrays.items():
            if not isinstance(found, np.ndarray):
                raise ValueError(f"{key} is no array")
        return arrays
    except UserError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds for damaged files
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"{file} can't be read as {what} ({reason}): expected an .npz file") from error


def _refuse_bomb(file: Path) -> None:
    """By what the archive declares, which bounds what zipfile gives out."""
    with zipfile.ZipFile(file) as archive:
        declared = sum(member.file_size for member in archive.infolist())
    if declared > max(ALWAYS, RATIO * file.stat().st_size):
        raise UserError(
            f"{file} would inflate to {declared / 2**20:.0f} MiB, more than {RATIO} times its size: expected what "
            f"numpy.savez writes"
        )
