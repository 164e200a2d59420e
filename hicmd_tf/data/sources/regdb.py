"""RegDB (Nguyen et al., 2017): 412 people, 10 visible and 10 far-infrared pictures each, ten fixed splits in halves.

DIR/Visible/ID/*.bmp, DIR/Thermal/ID/*.bmp, DIR/idx/{train,test}_{visible,thermal}_{1..10}.txt with one path and one
label per line. Labels begin at 0 in both halves, so an identity is the number of its folder.
"""

import re
from pathlib import Path

from hicmd_tf.data.sources.data_set import DataSet
from hicmd_tf.data.sources.records import Listing, Record, checked, existing, from_lists
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality

FOLDERS: dict[Modality, str] = {VISIBLE: "Visible", INFRARED: "Thermal"}
NAME = re.compile(r"(?P<folder>Visible|Thermal)/(?P<identity>\d{1,9})/[^/]+", re.ASCII)
CAMERAS: dict[Modality, int] = {VISIBLE: 1, INFRARED: 2}


class RegDB(DataSet):
    """Everything is seen by every query, and CMC counts pictures."""

    name = "regdb"
    layout = "Visible/, Thermal/ and idx/ with the lists of ten splits"
    obtained = "RegDB is to be had from Dongguk University (dm.dongguk.edu), on request"
    protocol = "regdb"
    trials = 10
    counts = {(split, m): (206, 2060) for split in ("train", "test") for m in MODALITIES}  # noqa: RUF012 (constant)

    def listing(self, folder: Path, trial: int, pattern: str) -> Listing:
        """The pictures of a trial's lists."""
        lists = {
            (split, m): f"idx/{split}_{FOLDERS[m].lower()}_{trial}.txt"
            for split in ("train", "test")
            for m in MODALITIES
        }
        existing(folder, *FOLDERS.values(), *lists.values(), advice=self.advice)
        expected = {m: f"{part}/NUMBER/.._NUMBER.bmp, such as {part}/285/x_285.bmp" for m, part in FOLDERS.items()}
        return checked(folder, from_lists(folder, lists, _record, expected))


def _record(name: str, modality: Modality) -> Record | None:
    found = NAME.fullmatch(name)
    if not found or found["folder"] != FOLDERS[modality]:
        return None
    return Record(name, int(found["identity"]), modality, CAMERAS[modality])
