"""NumPy archives (.npz) of anyone's making: nothing in them is unpickled."""

from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np

from hicmd_tf.errors import UserError

Array = np.ndarray[Any, Any]


def read_arrays(file: Path, what: str) -> dict[str, Array]:
    """The arrays of an archive by name. what: for the message, what it should be read as.

    Raises UserError for a file that is missing, damaged, or would unpickle something.
    """
    try:
        if not file.is_file():
            raise FileNotFoundError("there is no such file")
        if not is_zipfile(file):
            raise ValueError("it is no archive")
        with np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        for key, found in arrays.items():
            if not isinstance(found, np.ndarray):
                raise ValueError(f"{key} is no array")
        return arrays
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds for damaged files
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"{file} can't be read as {what} ({reason}): expected an .npz file") from error
