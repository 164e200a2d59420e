"""LLCM (Zhang and Wang, CVPR 2023): 1,064 people before nine visible and eight near-infrared cameras, at low light.

DIR/vis/ID/*.jpg, DIR/nir/ID/*.jpg, DIR/idx/{train,test}_{vis,nir}.txt with a path and a label a line. A file's name has
its identity and camera: 0891_c06_s183650_f2130_nir.jpg.
"""

import re
from pathlib import Path

from hicmd_tf.data.sources.records import Listing, Record, checked, existing, listed
from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality

FOLDERS: dict[Modality, str] = {VISIBLE: "vis", INFRARED: "nir"}
NAME = re.compile(r"(?P<folder>vis|nir)/(?P<identity>\d+)/(?P=identity)_c(?P<camera>\d+)_[^/]+")


def read(folder: Path, trial: int, advice: str) -> Listing:
    """The pictures of the lists. There is one split, so `trial` chooses nothing here.

    Raises UserError for what is missing or makes no sense.
    """
    del trial
    lists = {(split, m): f"idx/{split}_{FOLDERS[m]}.txt" for split in ("train", "test") for m in MODALITIES}
    existing(folder, *FOLDERS.values(), *lists.values(), advice=advice)
    splits: dict[str, list[Record]] = {"train": [], "test": []}
    for (split, modality), file in lists.items():
        splits[split] += _records(folder / file, modality)
    return checked(folder, splits)


def _records(file: Path, modality: Modality) -> list[Record]:
    records = []
    for number, name in listed(file):
        found = NAME.fullmatch(name)
        if not found or found["folder"] != FOLDERS[modality]:
            raise UserError(
                f"{file}, line {number}: {name} is no {modality} picture: expected "
                f"{FOLDERS[modality]}/ID/ID_cCAMERA_..., such as {FOLDERS[modality]}/0891/0891_c06_s1_f1.jpg"
            )
        records.append(Record(name, int(found["identity"]), modality, int(found["camera"])))
    return records
