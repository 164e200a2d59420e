"""Pictures of some records, into memory as they are (imports no TensorFlow)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources.records import Record
from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED


def content(file: Path) -> bytes:
    """A picture as it lies there. Raises UserError when it can't be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} can't be read ({error.strerror}): copy it again, and let it be read") from error


def read_pictures(folder: Path, records: Sequence[Record]) -> Samples:
    """The pictures of records below a folder, sorted by name. Raises UserError for one that can't be read."""
    records = sorted(records)
    return Samples(
        [content(folder / record.name) for record in tqdm(records, "reading", unit="picture", leave=False)],
        [record.name for record in records],
        np.array([record.identity for record in records], np.int64),
        np.array([record.modality == INFRARED for record in records], bool),
        np.array([record.camera for record in records], np.int64),
    )
