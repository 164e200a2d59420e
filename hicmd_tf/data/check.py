"""Whether a data set is whole, before anything is trained on it."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from hicmd_tf.data import usable
from hicmd_tf.data.duplicates import Seen, digest, reported
from hicmd_tf.data.labels import Texts, named, shown
from hicmd_tf.data.samples import SPLITS, ahead
from hicmd_tf.data.sources import DATA_SETS, Listing, Record
from hicmd_tf.data.sources.data_set import Counts
from hicmd_tf.data.usable import Shade, swapped
from hicmd_tf.errors import UserError, printable, some
from hicmd_tf.notation import MODALITIES
from hicmd_tf.pictures.bounds import BadPictureError, content
from hicmd_tf.tables import as_text

SPLIT_WORDS = {"train": SPLITS["train"], "val": "validation", "test": SPLITS["test"]}
LISTED = 20  # names of people, or cameras, in a line


def table(listing: Listing, known: Counts) -> str:
    """Identities, pictures and cameras of every split and modality, beside the known counts."""
    lines = [["split", "modality", "identities", "pictures", "cameras", "known"]]
    for split, records in listing.splits.items():
        for modality in MODALITIES:
            found = [record for record in records if record.modality == modality]
            cameras = list(cameras_of(found, listing.texts))
            counts = len({record.identity for record in found if record.identity >= 0}), len(found)
            said = known.get((split, modality))
            verdict = "-" if said is None else "the same" if said == counts else f"{said[0]} and {said[1]}"
            names = ",".join(cameras)
            if len(cameras) > 9 or len(names) > 19:
                names = str(len(cameras))
            lines.append([split, modality, *(f"{count:,}" for count in counts), names, verdict])
    return as_text(lines, "<<>>><")


def cameras_of(records: Sequence[Record], texts: Texts) -> dict[str, int]:
    """How many pictures each camera took, by its name."""
    counts = Counter(record.camera for record in records)
    return {name: counts[number] for number, name in named(np.array([*counts], np.int64), texts).items()}


def labels(listing: Listing) -> Iterator[str]:
    """People and cameras by name, and which part of the paths they were taken from, one line each."""
    people = list(named(np.array([r.identity for r in listing.records if r.identity >= 0]), listing.texts).values())
    yield f"{len(people):,} people: {_some(people)}"
    strangers = sum(record.identity < 0 for record in listing.records)
    if strangers:
        yield f"{strangers:,} pictures of unknown people, who are looked through and never looked for"
    for modality in MODALITIES:
        found = cameras_of([record for record in listing.records if record.modality == modality], listing.texts)
        yield f"{modality} cameras: {_some([f'{name} ({count:,} pictures)' for name, count in found.items()])}"
    yield from listing.taken


def _some(words: Sequence[str]) -> str:
    return some([printable(word) for word in words], LISTED)


class Looked(NamedTuple):
    """flaws: of pictures that training could not use, by name. flat: names of those that are nearly constant. colours:
    how coloured those without a flaw are, by name. digests: of all, by name."""

    flaws: dict[str, BadPictureError]
    flat: list[str]
    colours: dict[str, float]
    digests: dict[str, bytes]


def look(folder: Path, names: Sequence[str], sixteen_bit: str = "") -> Looked:
    """Reads and decodes pictures, each once. Raises UserError for one that can't be read."""

    def one(name: str) -> tuple[usable.Look, bytes]:
        encoded = content(folder / name)
        return usable.look(encoded, sixteen_bit), digest(encoded)

    found = Looked({}, [], {}, {})
    decoded = zip(names, ahead(one, names), strict=True)
    for name, (seen, digested) in tqdm(decoded, "decoding", len(names), unit="picture", leave=False):
        if seen.flaw:
            found.flaws[name] = seen.flaw
        else:
            found.colours[name] = seen.colour
        if seen.flat:
            found.flat.append(name)
        found.digests[name] = digested
    return found


def other_modality(listings: Iterable[Listing], colours: dict[str, float]) -> list[str]:
    """In one line each, whose pictures look like the other modality's."""
    records = {record.name: record for listing in listings for record in listing.records if record.name in colours}
    return swapped(Shade(name, one.identity, one.modality, colours[name]) for name, one in sorted(records.items()))


def duplicates(listing: Listing, digests: dict[str, bytes]) -> list[str]:
    """In one line each, the same pictures in two splits, of two identities of one, or in both modalities."""
    pictures = (
        Seen(
            digests[record.name],
            SPLIT_WORDS[split],
            shown(record.identity, listing.texts),
            record.name,
            record.modality,
        )
        for split, records in listing.splits.items()
        for record in records
    )
    return list(reported(pictures))


def check(name: str, folder: Path, pattern: str = "", trial: int | None = None, sixteen_bit: str = "") -> None:
    """Prints the tables of a data set, and warns of what need not be wrong.

    name: of the data set. pattern, sixteen_bit: as the settings data.*. trial: only this split; None for all. Raises
    UserError for whatever is missing, corrupt or makes no sense.
    """
    source = DATA_SETS[name]
    trials = [trial] if trial is not None else range(1, source.trials + 1)
    listings = {trial: source.read(folder, trial, pattern) for trial in trials}
    names = sorted({record.name for listing in listings.values() for record in listing.records})
    for trial, listing in listings.items():
        print(f"{name}, trial {trial}" if source.trials > 1 else name)
        print(table(listing, source.counts))
        print("\n".join(labels(listing)), flush=True)
    _report(source.remarks(folder, listings))
    flaws, flat, colours, digests = look(folder, names, sixteen_bit)
    _report(other_modality(listings.values(), colours))
    if flat:
        _report([usable.flat_words(flat, len(names))])
    if flaws:
        name, flaw = next(iter(flaws.items()))
        raise UserError(
            f"{folder}: {name} {flaw.told(f'copy it again; {source.obtained}', usable.more(len(flaws) - 1))}"
        )
    for trial, listing in listings.items():
        found = duplicates(listing, digests)
        if found:
            of = f", trial {trial}" if source.trials > 1 else ""
            raise UserError(f"{folder}{of}: {'; and '.join(found)}")
    print(f"all {len(names):,} pictures can be decoded, and each is in one split and of one identity")


def _report(lines: Iterable[str]) -> None:
    """What need not be wrong, and may be."""
    for line in lines:
        print(f"warning: {line}", file=sys.stderr, flush=True)
