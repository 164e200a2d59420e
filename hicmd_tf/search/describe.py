"""Pictures and files of descriptors as what a gallery takes: part by part, so that a kill loses little."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from hicmd_tf.data.labels import UNKNOWN_TEXT, number, texts_of
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources.records import Listing, read_pictures
from hicmd_tf.data.sources.table import whom
from hicmd_tf.data.usable import usable
from hicmd_tf.errors import UserError, nearest, some
from hicmd_tf.notation import INFRARED, Modality
from hicmd_tf.pictures.bounds import content
from hicmd_tf.retrieval.stored import Stored, descriptor_batches, descriptor_count, is_parquet, read_descriptors
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.search.asking import Store
from hicmd_tf.search.entries import Entry, Selection, news, refuse_apart

Array = np.ndarray[Any, Any]
Held = Callable[[Sequence[str]], dict[str, Entry]]

PART = 256  # pictures
FEW = 5  # names that a message lists


class Described(NamedTuple):
    """descriptors (N, D), one for each of the entries. model: SHA-256 of the weights that described. already: further
    pictures, which a gallery has as they are. failed: why others have no descriptor, by name."""

    descriptors: Array
    entries: list[Entry]
    model: str
    already: int = 0
    failed: Mapping[str, str] = {}


class Filled(NamedTuple):
    """How many pictures a gallery took, how many of these took another's place, how many it had, and has now. failed:
    how many had no descriptor, and some of them with the reason."""

    added: int
    replaced: int
    already: int
    rows: int
    failed: int = 0
    named: Sequence[str] = ()


def fill(store: Store, parts: Iterable[Described], total: int) -> Filled:
    """Adds part by part; what is on disk stays there. total: pictures, for the progress bar."""
    before, written, already, failed, named = store.info().rows, 0, 0, 0, list[str]()
    with tqdm(desc="adding", unit="picture", leave=False, total=total) as bar:
        for part in parts:
            count = store.add(part.descriptors, part.entries, part.model) if part.entries else 0
            written += count
            already += part.already + len(part.entries) - count
            failed += len(part.failed)
            named += [f"{name} {why}" for name, why in islice(part.failed.items(), FEW - len(named))]
            bar.update(len(part.entries) + part.already + len(part.failed))
    rows = store.info().rows
    return Filled(rows - before, written - (rows - before), already, rows, failed, named)


def described_folder(
    run: OpenedRun,
    folder: Path,
    listing: Listing,
    time: float | None = None,
    held: Held = lambda paths: {},
) -> Iterator[Described]:
    """The listed pictures below a folder, a part at a time.

    Args:
        run: whose model describes.
        folder: where the pictures lie.
        listing: as `data.sources.folder.anything` gives it.
        time: of all of them; None: when each file changed.
        held: what a gallery has of paths: a picture of which the same is known is not described again.
    """
    model, within = run.model.descriptor.digest(), listing.labelled_in or folder
    for start in range(0, len(listing.records), PART):
        records = listing.records[start : start + PART]
        samples = read_pictures(folder, records, listing.texts, run.config.data.sixteen_bit)
        paths = [os.path.realpath(folder / name) for name in samples.names]
        entries = entries_of(samples, paths, [sha256(one).hexdigest() for one in samples.encoded], within, time)
        known = held(paths)
        entries = dated(entries, known, samples) if time is None else entries
        fresh = news(entries, known)
        chosen = samples.select(np.array(fresh, np.int64))
        whole = usable(chosen, run.config.data.check) if fresh else chosen
        by_name = {samples.names[row]: entries[row] for row in fresh}
        described = run.model.descriptors(whole) if len(whole) else np.empty((0, 0), np.float32)
        yield Described(described, [by_name[name] for name in whole.names], model, len(samples) - len(fresh))


def dated(entries: Sequence[Entry], known: dict[str, Entry], samples: Samples) -> list[Entry]:
    """Entries with the time that a gallery has of the same content, where nobody says when it was taken: copied or
    touched it is the same picture."""
    same = [known.get(entry.path, entry) for entry in entries]
    kept = [not said and s.digest == e.digest for said, e, s in zip(_said(samples), entries, same, strict=True)]
    return [e._replace(time=s.time) if keep else e for keep, e, s in zip(kept, entries, same, strict=True)]


def _said(samples: Samples) -> list[bool]:
    """Of which pictures it is known when they were taken."""
    found: list[bool] = np.isfinite(samples.times).tolist()
    return found


def described_pictures(
    run: OpenedRun, files: Sequence[Path | str], modality: Modality | None = None, together: bool = False
) -> Described:
    """Single pictures; whom they show is what a table says, or their paths, where a folder is named after a modality.
    So is their modality where it is None. together: whether they are to be one query. Raises UserError, also for one
    that can't be used: what is asked for is never left out."""
    pictures = [*map(Path, files)]
    shown = [whom(file, modality) for file in pictures]
    people = [person for person, _ in shown]
    if together:
        refuse_apart(
            {number(person or UNKNOWN_TEXT): person or UNKNOWN_TEXT for person in people}, {m for _, m in shown}
        )
    samples = Samples(
        [content(file) for file in pictures],
        [str(file) for file in files],
        np.array([number(person or UNKNOWN_TEXT) for person in people], np.int64),
        np.array([m == INFRARED for _, m in shown], bool),
        np.zeros(len(files), np.int64),
        texts=texts_of(person for person in people if person),
        sixteen_bit=run.config.data.sixteen_bit,
    )
    samples = usable(samples, "stop")  # before the model is loaded
    descriptors = run.model.descriptors(samples)
    digests = [sha256(one).hexdigest() for one in samples.encoded]
    entries = entries_of(samples, [os.path.realpath(file) for file in files], digests, Path(), 0.0)
    return Described(descriptors, entries, run.model.descriptor.digest())


def stored(file: Path | str, time: float | None = None, held: Held = lambda paths: {}) -> Described:
    """Descriptors and entries from what `hicmd extract` wrote, in memory. time: of all pictures; None: of the file.
    held: a gallery's entries of paths. Digests are those of the descriptors. Raises UserError for anything else."""
    found = read_descriptors(Path(file))
    if not len(found.samples):
        raise UserError(f"{file} has no descriptors, expected at least one")
    return _of_stored(Path(file), found, time, held)


def stored_parts(
    file: Path | str, time: float | None = None, held: Held = lambda paths: {}
) -> tuple[Iterable[Described], int]:
    """The same part by part, and how many rows there are; of Parquet no more than a part is in memory."""
    file = Path(file)
    if not is_parquet(file):
        one = stored(file, time, held)
        return [one], len(one.entries) + len(one.failed)
    rows = descriptor_count(file)
    if not rows:
        raise UserError(f"{file} has no descriptors, expected at least one")
    return (_of_stored(file, found, time, held) for found in descriptor_batches(file)), rows


def _of_stored(file: Path, found: Stored, time: float | None, held: Held) -> Described:
    samples = found.samples
    digests = [sha256(np.ascontiguousarray(row, np.float32).tobytes()).hexdigest() for row in found.descriptors]
    entries = entries_of(samples, samples.names, digests, file, time, file.stat().st_mtime)
    entries = dated(entries, held(samples.names), samples) if time is None else entries
    return Described(found.descriptors, entries, found.model, failed=found.failed)


def of_track(store: Store, name: str) -> Described:
    """What a gallery has of one of its tracks. Raises UserError where it has none of this name, or several."""
    known = store.contents().tracks
    if name not in known:
        has = f"it has {some([*known], FEW)}" if known else "it has none"
        raise UserError(f"the gallery has no track {name}{nearest(name, known)}: {has}")
    rows, entries = store.selected(Selection(tracks=[name]))
    folders = sorted({entry.track_folder for entry in entries})
    if len(folders) > 1:
        raise UserError(
            f"the gallery has a track {name} of {some(folders, FEW)}: ask with the pictures of one, by --picture and "
            "--together"
        )
    return Described(rows, entries, store.info().model)


def entries_of(
    samples: Samples,
    paths: Sequence[str],
    digests: Sequence[str],
    folder: Path,
    time: float | None = None,
    otherwise: float | None = None,
) -> list[Entry]:
    """The entry of each picture. folder: in which the names of their tracks hold. time: of all of them; None: of each
    its own, where nobody says it `otherwise`, or else when its file changed. Raises UserError for a time of pictures
    that have their own."""
    said = _said(samples)
    if time is not None and any(said):
        raise UserError(
            f"--time is given, but it is known when {samples.names[said.index(True)]} was taken: leave it out, or the "
            "time in the table, the pattern or the file of descriptors"
        )
    numbers, named = zip(samples.identities.tolist(), samples.cameras.tolist(), strict=True), os.path.realpath(folder)

    def when(row: int) -> float:
        given = time if time is not None else float(samples.times[row]) if said[row] else otherwise
        return Path(paths[row]).stat().st_mtime if given is None else given

    return [
        Entry(
            paths[row],
            identity,
            camera,
            samples.modality(row),
            when(row),
            digests[row],
            samples.texts.get(identity, ""),
            samples.texts.get(camera, ""),
            samples.track(row),
            named if samples.track(row) else "",
        )
        for row, (identity, camera) in enumerate(numbers)
    ]
