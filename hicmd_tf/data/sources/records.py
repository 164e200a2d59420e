"""Records of pictures before they are opened; lists and folders are read without trusting them."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hicmd_tf.data.labels import UNKNOWN, Texts, shown
from hicmd_tf.data.samples import Samples, files
from hicmd_tf.errors import UserError, some
from hicmd_tf.files import read_text
from hicmd_tf.notation import INFRARED, MODALITIES, Modality


class Record(NamedTuple):
    """name: path below the data set's folder, with slashes. identity, camera, track: the data set's own numbers, or
    those of names (`labels`); an identity below 0 is unknown, a track below 0 is none. time: seconds since 1970; NaN:
    unknown."""

    name: str
    identity: int
    modality: Modality
    camera: int
    track: int = UNKNOWN
    time: float = math.nan


class Listing(NamedTuple):
    """Pictures by split: `train`, `test`, and with SYSU-MM01 `val`; each sorted by name.

    texts: of the identities, cameras and tracks that are called by a text. taken: from which part of their paths people
    and cameras were taken, and how many tracks there are, one line each. passed: what was passed over, one line per
    reason, and what else is odd. labelled_in: the folder of the table that says all this, in which names of tracks
    hold; None: the pictures' own.
    """

    splits: dict[str, list[Record]]
    texts: Texts = {}  # noqa: RUF012 (nobody writes into it)
    taken: Sequence[str] = ()
    passed: Sequence[str] = ()
    labelled_in: Path | None = None

    @property
    def records(self) -> list[Record]:
        """Those of all splits."""
        return [record for records in self.splits.values() for record in records]


def read_pictures(
    folder: Path, records: Iterable[Record], texts: Texts | None = None, sixteen_bit: str = ""
) -> Samples:
    """The pictures of records below a folder, sorted by name, read when they are asked for.

    texts: of their identities, cameras and tracks. sixteen_bit: as the setting.
    """
    records = sorted(records)
    return Samples(
        files(folder, [record.name for record in records]),
        [record.name for record in records],
        np.array([record.identity for record in records], np.int64),
        np.array([record.modality == INFRARED for record in records], bool),
        np.array([record.camera for record in records], np.int64),
        texts=texts or {},
        sixteen_bit=sixteen_bit,
        tracks=np.array([record.track for record in records], np.int64),
        times=np.array([record.time for record in records], np.float64),
    )


def mixed_track(records: Iterable[Record], texts: Texts) -> str:
    """The first track that isn't one person's, by one camera and in one modality, in words; empty where there is
    none."""
    first: dict[int, Record] = {}
    for record in records:
        if record.track < 0:
            continue
        of = first.setdefault(record.track, record)
        for kind, one, other in (
            ("people", shown(of.identity, texts), shown(record.identity, texts)),
            ("cameras", shown(of.camera, texts), shown(record.camera, texts)),
            ("modalities", of.modality, record.modality),
        ):
            if one != other:
                return (
                    f"track {shown(record.track, texts)} is of two {kind}, {one} in {of.name} and {other} in "
                    f"{record.name}: a track is what one camera took of one person, in one modality; give each its name"
                )
    return ""


def checked(folder: Path, listing: Listing) -> Listing:
    """Raises UserError for what no data set may do: a picture twice, an identity in two splits, a split without a
    modality, unknown people in training, a training identity in one modality only, pictures that are not there."""
    for mistake in _mistakes(folder, listing):
        raise UserError(f"{folder}: {mistake}")
    return listing


def _mistakes(folder: Path, listing: Listing) -> Iterator[str]:
    split_of: dict[int, str] = {}
    for split, records in listing.splits.items():
        people = {record.identity for record in records if record.identity >= 0}
        for identity in sorted(people & split_of.keys()):
            yield (
                f"identity {shown(identity, listing.texts)} is in the {split_of[identity]} and the {split} split: who "
                "was trained on can't be tested, take this person out of one"
            )
        split_of |= dict.fromkeys(people, split)
        unknown = [record.name for record in records if record.identity < 0]
        if unknown and split != "test":
            yield (
                f"nobody says whom {some(unknown, 1)} of the {split} split shows: name the person, or take the picture "
                "out; unknown people can only be tested on"
            )
    twice = [name for name, count in Counter(record.name for record in listing.records).items() if count > 1]
    if twice:
        yield f"{some(twice, 1)} is listed twice: list every picture once"
    for split, records in listing.splits.items():
        for m in MODALITIES:
            if not any(record.modality == m for record in records):
                yield f"no {m} picture in its {split} split: expected some of either modality"
    of = {m: {record.identity for record in listing.splits["train"] if record.modality == m} for m in MODALITIES}
    for m in MODALITIES:
        lonely = [shown(identity, listing.texts) for identity in sorted(set.union(*of.values()) - of[m])]
        if lonely:
            yield (
                f"no {m} picture of training identity {some(lonely, 1)}: add pictures or take it out, training needs "
                "both modalities of everyone"
            )
    missing = [record.name for record in listing.records if not (folder / record.name).is_file()]
    if missing:
        yield f"there is no {some(missing, 1)}, which its lists name: copy the whole data set there"


def existing(folder: Path, *names: str, advice: str) -> None:
    """Raises UserError naming the first of the entries that a data set's folder lacks."""
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: {advice}")
    for name in names:
        if not (folder / name).exists():
            raise UserError(f"{folder} has no {name}: {advice}")


def lines(file: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of a list that aren't empty. Raises UserError for a file that can't be read as text."""
    text = read_text(file, "expected a list, take the original file").removeprefix("\ufeff")
    return ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def numbers(file: Path) -> list[int]:
    """Identities of a file with numbers between commas. Raises UserError for anything else in it."""
    words = [(number, word.strip()) for number, line in lines(file) for word in line.split(",") if word.strip()]
    for number, word in words:
        if not re.fullmatch(r"\d{1,9}", word, re.ASCII):
            raise UserError(f"{file}, line {number}: {word[:40]!r} is no identity: expected numbers between commas")
    if not words:
        raise UserError(f"{file} is empty: expected identities, numbers between commas")
    return [int(word) for _, word in words]


def from_lists(
    folder: Path, folders: Mapping[Modality, str], lists: str, place: re.Pattern[str], advice: str
) -> Listing:
    """The pictures of lists for training and test with one picture's path and label per line. Raises UserError for what
    is missing, naming file and line for what can't be read. Labels only number the people, and are not needed.

    Args:
        folder: of the data set.
        folders: where a modality's pictures lie.
        lists: their names, {split} and {folder} open.
        place: what a path below its modality's folder says of identity and camera; where it has no camera, visible
            pictures are by camera 1, infrared ones by 2.
        advice: what to do where something is missing.
    """
    names = {(s, m): lists.format(split=s, folder=folders[m].lower()) for s in ("train", "test") for m in MODALITIES}
    existing(folder, *folders.values(), *names.values(), advice=advice)
    splits: dict[str, list[Record]] = {"train": [], "test": []}
    for (split, modality), name in names.items():
        for number, line in lines(folder / name):
            path, _, label = line.rpartition(" ")
            path = path.strip().replace("\\", "/")
            below, _, rest = path.partition("/")
            found = place.fullmatch(rest)
            if not found or below != folders[modality] or not label.isdecimal():
                raise UserError(
                    f"{folder / name}, line {number}: {line[:60]!r}: expected a {modality} picture's path below "
                    f"{folders[modality]}, which says whom it shows, and a label: take the original lists"
                )
            camera = found.groupdict().get("camera") or MODALITIES.index(modality) + 1
            splits[split].append(Record(path, int(found["identity"]), modality, int(camera)))
    return checked(folder, Listing({split: sorted(records) for split, records in splits.items()}))
