"""Pictures of some records, read when they are asked for (imports no TensorFlow)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hicmd_tf.data.contents import files
from hicmd_tf.data.labels import Texts
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources.records import Record
from hicmd_tf.notation import INFRARED


def read_pictures(
    folder: Path, records: Sequence[Record], texts: Texts | None = None, sixteen_bit: str = ""
) -> Samples:
    """The pictures of records below a folder, sorted by name. texts: of their identities and cameras. sixteen_bit: as
    the setting. Raises UserError for one that can't be read."""
    records = sorted(records)
    return Samples(
        files(folder, [record.name for record in records]),
        [record.name for record in records],
        np.array([record.identity for record in records], np.int64),
        np.array([record.modality == INFRARED for record in records], bool),
        np.array([record.camera for record in records], np.int64),
        texts=texts or {},
        sixteen_bit=sixteen_bit,
    )
