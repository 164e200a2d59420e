"""SYSU-MM01 (Wu et al., ICCV 2017): 491 people before four visible cameras (1, 2, 4, 5) and two near-infrared (3, 6).

DIR/cam1/0001/0001.jpg .. DIR/cam6, DIR/exp/{train,val,test}_id.txt with identities between commas.
"""

from pathlib import Path

from hicmd_tf.data.sources.records import Listing, Record, checked, existing, numbers
from hicmd_tf.data.sources.walking import pictures
from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED, VISIBLE

VISIBLE_CAMERAS, INFRARED_CAMERAS = (1, 2, 4, 5), (3, 6)
CAMERAS = range(1, 7)
SPLITS = ("train", "val", "test")


def read(folder: Path, trial: int, advice: str) -> Listing:
    """All pictures of the identities of each list. There is one split, so `trial` chooses nothing here.

    Raises UserError for what is missing or makes no sense.
    """
    del trial
    cameras, lists = [f"cam{camera}" for camera in CAMERAS], [f"exp/{split}_id.txt" for split in SPLITS]
    existing(folder, *cameras, advice=advice)
    for file in lists:
        matlab = Path(file).with_suffix(".mat").as_posix()
        instead = f"the text file with the same numbers as {matlab}, " if (folder / matlab).exists() else ""
        existing(folder, file, advice=f"{instead}{advice}")
    people = {split: numbers(folder / file) for split, file in zip(SPLITS, lists, strict=True)}
    splits = {
        split: [record for identity in people[split] for record in _records(folder, identity)] for split in SPLITS
    }
    listing = checked(folder, splits)
    for split, file in zip(SPLITS, lists, strict=True):
        _refuse_unseen(folder, file, set(people[split]) - {record.identity for record in splits[split]})
    return listing


def _refuse_unseen(folder: Path, file: str, unseen: set[int]) -> None:
    if unseen:
        raise UserError(
            f"{folder}: identity {min(unseen)} of {file} has no picture by any camera ({len(unseen)} such identities): "
            "copy the whole data set there"
        )


def _records(folder: Path, identity: int) -> list[Record]:
    return [
        Record(
            f"cam{camera}/{identity:04d}/{file.name}",
            identity,
            VISIBLE if camera in VISIBLE_CAMERAS else INFRARED,
            camera,
        )
        for camera in CAMERAS
        for file in pictures(folder / f"cam{camera}" / f"{identity:04d}")
    ]
