"""People's own pictures: DIR/train/ID/visible/*.png, DIR/train/ID/infrared/*.png, and the same below DIR/test.

An identity is a folder's number; when not all are numbers, its place among the sorted names. A file's name may have the
camera's number, as in cam3 or _c03; without one visible pictures are by camera 1, infrared ones by camera 2.
"""

import re
from pathlib import Path

from hicmd_tf.data.sources.records import PICTURES, Listing, Record, checked, existing, pictures, refuse_unwritable
from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES, VISIBLE, Modality

SPLITS = ("train", "test")
CAMERA = re.compile(r"(?:cam|(?:^|_)c)(\d+)", re.IGNORECASE)


def read(folder: Path, trial: int, advice: str) -> Listing:
    """All pictures below the folder. There is one split, so `trial` chooses nothing here.

    Raises UserError for what is missing or makes no sense.
    """
    del trial
    existing(folder, *SPLITS, advice=advice)
    for split in SPLITS:
        existing(folder / split, advice=advice)
    people = {split: sorted(path.name for path in (folder / split).iterdir() if path.is_dir()) for split in SPLITS}
    names = sorted({name for found in people.values() for name in found})
    numeric = all(re.fullmatch(r"\d{1,9}", name) for name in names)
    if numeric and len({int(name) for name in names}) < len(names):
        raise UserError(f"{folder}: two folders are the same number: call every person by one name")
    identities = {name: int(name) if numeric else place for place, name in enumerate(names)}
    splits = {
        split: [
            record
            for name in people[split]
            for modality in MODALITIES
            for record in _records(folder, f"{split}/{name}/{modality}", identities[name], modality)
        ]
        for split in SPLITS
    }
    for split in SPLITS:
        if not splits[split]:
            raise UserError(f"{folder / split} has no pictures ({', '.join(PICTURES)}): {advice}")
        seen = {record.identity for record in splits[split]}
        for name in people[split]:
            if identities[name] not in seen:
                raise UserError(f"{folder / split / name} has no pictures below visible or infrared: {advice}")
    return checked(folder, splits)


def _records(folder: Path, below: str, identity: int, modality: Modality) -> list[Record]:
    return [
        Record(f"{below}/{file.name}", identity, modality, _camera(file, modality)) for file in pictures(folder / below)
    ]


def _camera(file: Path, modality: Modality) -> int:
    found = CAMERA.search(file.stem)
    return int(found[1]) if found else 1 if modality == VISIBLE else 2


def anything(folder: Path, modality: Modality | None) -> list[Record]:
    """Every picture below a folder, at any depth: of one modality, or of that which the nearest folder so named says.

    An identity is the number of the nearest folder that is one, else -1. Raises UserError when there are no pictures,
    or one's modality isn't known.
    """
    existing(folder, advice="give a folder with pictures")
    records = []
    for file in sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES):
        below = file.relative_to(folder)
        folders = list(reversed(below.parts[:-1]))
        of = modality or next((m for name in folders for m in MODALITIES if name == m), None)
        if of is None:
            raise UserError(
                f"{file} lies below no folder named {' or '.join(MODALITIES)}: say which it is with --modality"
            )
        identity = next((int(name) for name in folders if re.fullmatch(r"\d{1,9}", name)), -1)
        records.append(Record(below.as_posix(), identity, of, _camera(file, of)))
    refuse_unwritable(folder, records)
    if not records:
        raise UserError(f"{folder} has no pictures ({', '.join(PICTURES)}) at any depth: give a folder that has some")
    return records
