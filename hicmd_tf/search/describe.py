"""Pictures and files of descriptors as what a gallery takes: part by part, so that a kill loses little."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.labels import UNKNOWN, Texts, number, texts_of
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources import Record
from hicmd_tf.data.sources.paths import person_of
from hicmd_tf.data.usable import usable
from hicmd_tf.errors import UserError
from hicmd_tf.notation import Modality
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.search.entries import Entry, key, real

Array = np.ndarray[Any, Any]

PART = 256  # pictures
OWN_RANGE = "1%-99%"  # of pictures of 16 bits where no run says how it sees them


class Described(NamedTuple):
    """descriptors (N, D), one for each of the entries. already: further pictures, which a gallery has as they are.
    sixteen_bit: how pictures of 16 bits are drawn, as the setting."""

    descriptors: Array
    entries: list[Entry]
    already: int = 0
    sixteen_bit: str = OWN_RANGE


def described_folder(
    run: OpenedRun,
    folder: Path,
    records: Sequence[Record],
    time: float | None = None,
    texts: Texts | None = None,
    held: Callable[[Sequence[str]], dict[str, Entry]] = lambda paths: {},
) -> Iterator[Described]:
    """The pictures of records below a folder, a part at a time. texts: of their identities and cameras. time: of all of
    them; None: when each file changed. held: what a gallery has of paths: a picture of the same content, of which the
    same is known, is not described again, and one that several names lead to only once."""
    from hicmd_tf.data.sources.records import read_pictures

    seen: set[str] = set()
    for start in range(0, len(records), PART):
        samples = read_pictures(folder, records[start : start + PART], texts, run.config.data.sixteen_bit)
        paths = [real(folder / name) for name in samples.names]
        digests = [sha256(content).hexdigest() for content in samples.encoded]
        times = [Path(path).stat().st_mtime if time is None else time for path in paths]
        known, fresh = held(paths), []
        entries = entries_of(samples, paths, times, digests)
        if time is None:
            entries = dated(entries, known)
        for row, entry in enumerate(entries):
            before = known.get(entry.path)
            if key(entry.path) not in seen and not (before is not None and before.like(entry)):
                fresh.append(row)
            seen.add(key(entry.path))
        chosen = samples.select(np.array(fresh, np.int64))
        whole = usable(chosen, run.config.data.check) if fresh else chosen
        by_name = {samples.names[row]: entries[row] for row in fresh}
        if len(whole):
            yield Described(
                run.model.descriptors(whole), [by_name[name] for name in whole.names], len(samples) - len(fresh)
            )
        elif len(samples) > len(fresh):
            yield Described(np.empty((0, 0), np.float32), [], len(samples) - len(fresh))


def dated(entries: Sequence[Entry], known: Mapping[str, Entry]) -> list[Entry]:
    """Entries with the time that a gallery has of the same content: copied or touched it is the same picture."""
    return [
        entry._replace(time=known[entry.path].time)
        if entry.path in known and known[entry.path].digest == entry.digest
        else entry
        for entry in entries
    ]


def described_pictures(run: OpenedRun, files: Sequence[Path], modality: Modality) -> Described:
    """Single pictures; whom they show is what their paths say, where a folder is named after a modality. Raises
    UserError, also for one that can't be used: what is asked for is never left out."""
    from hicmd_tf.pictures.bounds import content

    people = [person_of(file, modality) for file in files]
    samples = Samples(
        [content(file) for file in files],
        [str(file) for file in files],
        np.array([number(person) if person else UNKNOWN for person in people], np.int64),
        np.full(len(files), modality == "infrared"),
        np.zeros(len(files), np.int64),
        texts=texts_of(person for person in people if person),
        sixteen_bit=run.config.data.sixteen_bit,
    )
    described = run.model.descriptors(usable(samples, "stop"))
    digests = [sha256(content).hexdigest() for content in samples.encoded]
    entries = entries_of(samples, [real(file) for file in files], [0.0] * len(files), digests)
    return Described(described, entries, sixteen_bit=run.config.data.sixteen_bit or OWN_RANGE)


def entries_of(samples: Samples, paths: Sequence[str], times: Sequence[float], digests: Sequence[str]) -> list[Entry]:
    """What is known of each picture."""
    columns = zip(paths, samples.identities.tolist(), samples.cameras.tolist(), times, digests, strict=True)
    return [
        Entry(
            path,
            identity,
            camera,
            samples.modality(row),
            time,
            digest,
            samples.texts.get(identity, ""),
            samples.texts.get(camera, ""),
        )
        for row, (path, identity, camera, time, digest) in enumerate(columns)
    ]


def stored(file: Path, time: float | None = None) -> tuple[str, Described]:
    """What `hicmd extract` wrote: which model described, and what. time: of all pictures; None: of the file. Their
    digests are those of their descriptors. Raises UserError for anything else."""
    from hicmd_tf.retrieval.stored import read_descriptors

    descriptors, samples, model = read_descriptors(file)
    if not len(samples):
        raise UserError(f"{file} has no descriptors, expected at least one")
    when = file.stat().st_mtime if time is None else time
    digests = [sha256(np.ascontiguousarray(row, np.float32).tobytes()).hexdigest() for row in descriptors]
    return model, Described(descriptors, entries_of(samples, samples.names, [when] * len(samples), digests))
