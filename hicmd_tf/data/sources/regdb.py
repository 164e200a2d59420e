"""RegDB (Nguyen et al., 2017): 412 people, 10 visible and 10 far-infrared pictures each, ten fixed splits in halves.

DIR/Visible/ID/*.bmp, DIR/Thermal/ID/*.bmp, DIR/idx/{train,test}_{visible,thermal}_{1..10}.txt with one path and one
label per line. Labels begin at 0 in both halves, so an identity is the number of its folder.
"""

import re
from pathlib import Path

from hicmd_tf.config.kinds import EMBEDDING, HICMD
from hicmd_tf.data.sources.data_set import DataSet
from hicmd_tf.data.sources.records import Listing, from_lists
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality

FOLDERS: dict[Modality, str] = {VISIBLE: "Visible", INFRARED: "Thermal"}
PLACE = re.compile(r"(?P<identity>\d{1,9})/[^/]+", re.ASCII)


class RegDB(DataSet):
    """Everything is seen by every query, and CMC counts pictures."""

    name = "regdb"
    layout = "Visible/, Thermal/ and idx/ with the lists of ten splits"
    obtained = "RegDB is to be had from Dongguk University (dm.dongguk.edu), on request"
    protocol = "regdb"
    configurations = {EMBEDDING: "strong_regdb", HICMD: "regdb"}  # noqa: RUF012 (constant)
    counts = {(split, m): (206, 2060) for split in ("train", "test") for m in MODALITIES}  # noqa: RUF012 (constant)

    def listing(self, folder: Path, trial: int, pattern: str) -> Listing:
        """The pictures of a trial's lists."""
        return from_lists(folder, FOLDERS, f"idx/{{split}}_{{folder}}_{trial}.txt", PLACE, self.advice)
