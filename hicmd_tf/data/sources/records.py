"""Records of pictures before they are opened; lists and folders are read without trusting them."""

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from hicmd_tf.data.labels import Texts, shown
from hicmd_tf.data.samples import Samples, files
from hicmd_tf.errors import UserError, some
from hicmd_tf.notation import INFRARED, MODALITIES, Modality

PICTURES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


class Record(NamedTuple):
    """name: path below the data set's folder, with slashes. identity, camera: the data set's own numbers, or those of
    names (`labels`); an identity below 0 is unknown."""

    name: str
    identity: int
    modality: Modality
    camera: int


class Listing(NamedTuple):
    """Pictures by split: `train`, `test`, and with SYSU-MM01 `val`; each sorted by name.

    texts: of the identities and cameras that are called by a text. taken: from which part of their paths people and
    cameras were taken, one line each. passed: what was passed over, one line per reason, and what else is odd.
    """

    splits: dict[str, list[Record]]
    texts: Texts = {}  # noqa: RUF012 (nobody writes into it)
    taken: Sequence[str] = ()
    passed: Sequence[str] = ()

    @property
    def records(self) -> list[Record]:
        """Those of all splits."""
        return [record for records in self.splits.values() for record in records]


def read_pictures(
    folder: Path, records: Iterable[Record], texts: Texts | None = None, sixteen_bit: str = ""
) -> Samples:
    """The pictures of records below a folder, sorted by name, read when they are asked for.

    texts: of their identities and cameras. sixteen_bit: as the setting. Raises UserError for one that can't be read.
    """
    records = sorted(records)
    return samples_of(files(folder, [record.name for record in records]), records, texts, sixteen_bit)


def samples_of(
    encoded: Sequence[bytes], records: Sequence[Record], texts: Texts | None = None, sixteen_bit: str = ""
) -> Samples:
    """Records with the contents of their files, row by row."""
    return Samples(
        encoded,
        [record.name for record in records],
        np.array([record.identity for record in records], np.int64),
        np.array([record.modality == INFRARED for record in records], bool),
        np.array([record.camera for record in records], np.int64),
        texts=texts or {},
        sixteen_bit=sixteen_bit,
    )


def checked(folder: Path, splits: dict[str, list[Record]], texts: Texts | None = None) -> Listing:
    """Raises UserError for what no list may do: a name twice or that is no text, an identity in two splits, no
    pictures, unknown people in training, a training identity in one modality only, pictures that are not there."""
    listing = Listing({split: sorted(records) for split, records in splits.items()}, texts or {})
    refuse_unwritable(folder, listing.records)
    _refuse_shared_identities(folder, listing)
    _refuse_strangers(folder, listing)
    _refuse_duplicates(folder, listing)
    for split, records in listing.splits.items():
        for modality in MODALITIES:
            if not any(record.modality == modality for record in records):
                raise UserError(
                    f"{folder} has no {modality} picture in its {split} split: expected some of either modality"
                )
    _refuse_lonely(folder, listing)
    missing = [record.name for record in listing.records if not (folder / record.name).is_file()]
    if missing:
        raise UserError(f"{folder} has no {some(missing, 1)}, which its lists name: copy the whole data set there")
    return listing


def refuse_unwritable(folder: Path, records: Iterable[Record]) -> None:
    """Raises UserError for a name that can't be written as text: Linux lets files have any bytes for a name."""
    for record in records:
        try:
            record.name.encode()
        except UnicodeEncodeError as error:
            raise UserError(f"{folder}: the name {record.name!a} is not in UTF-8: rename the file") from error


def _refuse_duplicates(folder: Path, listing: Listing) -> None:
    twice = [name for name, count in Counter(record.name for record in listing.records).items() if count > 1]
    if twice:
        raise UserError(f"{folder}: {twice[0]} is listed twice ({len(twice)} such names): list every picture once")


def _refuse_shared_identities(folder: Path, listing: Listing) -> None:
    seen: dict[int, str] = {}
    for split, records in listing.splits.items():
        for identity in {record.identity for record in records if record.identity >= 0}:
            if identity in seen:
                raise UserError(
                    f"{folder}: identity {shown(identity, listing.texts)} is in the {seen[identity]} and the {split} "
                    "split: who was trained on can't be tested, take this person out of one"
                )
            seen[identity] = split


def _refuse_strangers(folder: Path, listing: Listing) -> None:
    for split, records in listing.splits.items():
        unknown = [record.name for record in records if record.identity < 0]
        if unknown and split != "test":
            raise UserError(
                f"{folder}: nobody says whom {unknown[0]} of the {split} split shows ({len(unknown)} such pictures): "
                "name its person, or take it out; unknown people can only be tested on"
            )


def _refuse_lonely(folder: Path, listing: Listing) -> None:
    records = listing.splits["train"]
    of = {m: {record.identity for record in records if record.modality == m} for m in MODALITIES}
    for modality in MODALITIES:
        lonely = sorted(set.union(*of.values()) - of[modality])
        if lonely:
            raise UserError(
                f"{folder}: training identity {shown(lonely[0], listing.texts)} has no {modality} picture "
                f"({len(lonely)} such identities): add pictures or take it out, training needs both modalities "
                "of everyone"
            )


def existing(folder: Path, *names: str, advice: str) -> None:
    """Raises UserError naming the first of the entries that a data set's folder lacks."""
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: {advice}")
    for name in names:
        if not (folder / name).exists():
            raise UserError(f"{folder} has no {name}: {advice}")


def lines(file: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of a list that aren't empty, with or without a byte-order mark. Raises UserError for a file that
    can't be read as text."""
    try:
        content = file.read_bytes()
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and len(content) > 2
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} can't be read as a list of pictures ({error}): take the original file") from error
    return ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def numbers(file: Path) -> list[int]:
    """Identities of a file with numbers between commas. Raises UserError for anything else in it."""
    words = [(number, word.strip()) for number, line in lines(file) for word in line.split(",") if word.strip()]
    for number, word in words:
        if not re.fullmatch(r"\d{1,9}", word):
            raise UserError(f"{file}, line {number}: {word[:40]!r} is no identity: expected numbers between commas")
    if not words:
        raise UserError(f"{file} is empty: expected identities, numbers between commas")
    return [int(word) for _, word in words]


def from_lists(
    folder: Path,
    lists: Mapping[tuple[str, Modality], str],
    record: Callable[[str, Modality], Record | None],
    expected: Mapping[Modality, str],
) -> dict[str, list[Record]]:
    """Records by split of lists with one picture's path and label per line.

    lists: files by split and modality. record: what a path says, None when it isn't `expected`. Raises UserError naming
    file and line of what can't be read, would leave the folder, has another person's label, or one that is not among
    0 .. N - 1 for the N identities of a split.
    """
    splits: dict[str, list[Record]] = {split: [] for split, _ in lists}
    labels = {split: _Labels() for split in splits}
    for (split, modality), name in lists.items():
        file = folder / name
        for number, line in lines(file):
            path, label = _words(file, number, line)
            found = record(path, modality)
            if found is None:
                raise UserError(
                    f"{file}, line {number}: {path} is no {modality} picture: expected {expected[modality]}"
                )
            if not labels[split].agrees(found.identity, label, f"{file}, line {number}: {path}"):
                raise UserError(
                    f"{file}, line {number}: {path} has label {label}, expected one label for each identity of the "
                    f"{split} split: take the original lists"
                )
            splits[split].append(found)
    for split, seen in labels.items():
        seen.refuse_gaps(split)
    return splits


class _Labels:
    """Which label each identity has, and the other way around; and where each label stood first."""

    def __init__(self) -> None:
        self.of_identity: dict[int, int] = {}
        self.of_label: dict[int, int] = {}
        self.places: dict[int, str] = {}

    def agrees(self, identity: int, label: int, place: str) -> bool:
        """Whether what was seen so far allows this pair, too."""
        self.places.setdefault(label, place)
        first = self.of_identity.setdefault(identity, label), self.of_label.setdefault(label, identity)
        return first == (label, identity)

    def refuse_gaps(self, split: str) -> None:
        """Raises UserError for the first label that is out of range."""
        count = len(self.places)
        beyond = [label for label in self.places if label >= count]
        if beyond:
            raise UserError(
                f"{self.places[beyond[0]]} has label {beyond[0]}, expected 0 to {count - 1} for the {count} identities "
                f"of the {split} split: take the original lists"
            )


def _words(file: Path, number: int, line: str) -> tuple[str, int]:
    words = line.rsplit(maxsplit=1)
    path = PurePosixPath(words[0].replace("\\", "/"))
    if len(words) != 2 or not re.fullmatch(r"\d{1,9}", words[1], re.ASCII):
        raise UserError(f"{file}, line {number}: {line[:60]!r}: expected a picture's path and its label")
    if path.is_absolute() or ".." in path.parts:
        raise UserError(f"{file}, line {number}: {line[:60]!r} leads out of the data set's folder")
    return str(path), int(words[1])
