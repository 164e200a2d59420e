"""Pictures of some records, into memory as they are (imports no TensorFlow)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hicmd_tf.data.bounds import content
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources.records import Record
from hicmd_tf.notation import INFRARED


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
