"""The list of pictures that an extraction is of, made once and kept beside its parts: so each is described once, and
whatever is killed goes on with the same ones.

A file of gzip members, one for each part, with a line of JSON for each picture: zcat reads it as a whole, and a part is
read without the others.
"""

import gzip
import json
import os
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hicmd_tf.data.labels import UNKNOWN, Texts, number, numbered, shown, texts_of
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources.folder import ALONE, BESIDE
from hicmd_tf.data.sources.paths import Said
from hicmd_tf.data.sources.records import Record, mixed_track
from hicmd_tf.errors import UserError
from hicmd_tf.files import replacing
from hicmd_tf.notation import INFRARED, Modality

LEVEL = 6  # of compression


class Picture(NamedTuple):
    """path: below the folder, or as the index has it. identity, camera, track: as people read them; empty where nobody
    says. time: in seconds since 1970."""

    path: str
    modality: Modality
    identity: str = ""
    camera: str = ""
    track: str = ""
    time: float | None = None


class Listed(NamedTuple):
    """What a list has. rows: pictures. offsets: where each part begins in the file, and where the last ends. cameras:
    whether any is named. people: numbers of those who are known."""

    rows: int
    offsets: list[int]
    cameras: bool
    people: list[int]


def of_records(records: Iterable[Record], texts: Texts) -> Iterator[Picture]:
    """The pictures of a data set's or a folder's records."""
    for one in records:
        yield Picture(
            one.name,
            one.modality,
            shown(one.identity, texts) if one.identity >= 0 else "",
            shown(one.camera, texts),
            shown(one.track, texts) if one.track >= 0 else "",
            None if one.time != one.time else one.time,
        )


def of_index(rows: Iterable[tuple[str, Said]]) -> Iterator[Picture]:
    """The pictures of an index. Raises UserError where two people, or tracks, are one number."""
    people, tracks = _Names("two people"), _Names("two tracks")
    for path, said in rows:
        assert said.modality is not None
        camera = _canonical(said.camera or "")
        yield Picture(path, said.modality, people.of(said.identity), camera, tracks.of(said.track), said.time)


def _canonical(name: str) -> str:
    """A name as it is shown."""
    return shown(number(name), texts_of([name])) if name else ""


class _Names:
    """Names that may come with several spellings. bearers: as `labels.numbered` has it."""

    def __init__(self, bearers: str) -> None:
        self._bearers, self._first = bearers, dict[int, str]()

    def of(self, name: str | None) -> str:
        """A name as it is shown."""
        if not name:
            return ""
        one = number(name)
        first = self._first.setdefault(one, name)
        if first != name:
            numbered([first, name], self._bearers)
        return _canonical(name)


def write_list(file: Path, pictures: Iterable[Picture], part: int, of: str) -> Listed:
    """Writes a list. part: pictures of each part. of: where they are from, for messages. Raises UserError for a picture
    that is listed twice, for a track of two people, cameras or modalities, and for an empty list."""
    offsets, rows, cameras, people, hashes = [0], 0, False, set[int](), array("Q")
    tracked, left = False, iter(pictures)
    with replacing(file) as target:
        while some := list(islice(left, part)):
            for one in some:
                cameras, tracked = cameras or one.camera != "", tracked or one.track != ""
                people.add(number(one.identity) if one.identity else UNKNOWN)
                hashes.append(_hash(one.path))
            lines = "".join(f"{json.dumps(one)}\n" for one in some)
            target.write(gzip.compress(lines.encode(), LEVEL, mtime=0))
            offsets.append(target.tell())
            rows += len(some)
        if not rows:
            raise UserError(f"{of} lists no picture: expected a row for each")
        target.flush()
        listed = Listed(rows, offsets, cameras, sorted(people - {UNKNOWN}))
        _refuse(Path(target.name), of, listed, np.frombuffer(hashes, np.uint64), tracked)
    return listed


def _hash(path: str) -> int:
    """64 bits of a path: so many pictures are kept apart with 8 bytes each."""
    encoded = path.encode("utf-8", "surrogatepass")
    return zlib.crc32(encoded) << 32 | zlib.adler32(encoded)


def _refuse(
    file: Path, of: str, listed: Listed, hashes: "np.ndarray[tuple[int], np.dtype[np.uint64]]", tracked: bool
) -> None:
    """Raises UserError as `write_list` does."""
    values, counts = np.unique(hashes, return_counts=True)
    several = {*values[counts > 1].tolist()}
    seen = dict[str, int]()
    again = (one for part in range(len(listed.offsets) - 1) for one in read_part(file, listed.offsets, part))
    for row, one in enumerate(again, 1) if several else ():
        if _hash(one.path) not in several:
            continue
        if one.path in seen:
            raise UserError(
                f"{of}: {one.path} is listed twice, as pictures {seen[one.path]:,} and {row:,} of it: list every "
                "picture once"
            )
        seen[one.path] = row
    if tracked:
        parts = (read_part(file, listed.offsets, place) for place in range(len(listed.offsets) - 1))
        texts: dict[int, str] = {}

        def records() -> Iterator[Record]:
            for some in parts:
                samples = samples_of(some, listed.cameras)
                texts.update(samples.texts)
                for row in range(len(samples)):
                    labels = samples.identities[row], samples.modality(row), samples.cameras[row], samples.tracks[row]
                    yield Record(samples.names[row], *labels)

        if mixed := mixed_track(records(), texts):
            raise UserError(f"{of}: {mixed}")


def read_part(file: Path, offsets: Sequence[int], part: int) -> list[Picture]:
    """The pictures of one part, counted from 0."""
    return pictures_in(read_packed(file, offsets, part))


def read_packed(file: Path, offsets: Sequence[int], part: int) -> bytes:
    """The same as they lie in the file, to be sent on."""
    found = b""
    if file.is_file():
        with file.open("rb") as opened:
            found = os.pread(opened.fileno(), offsets[part + 1] - offsets[part], offsets[part])
    if len(found) != offsets[part + 1] - offsets[part]:
        raise UserError(f"{file} is damaged or not there: delete its folder, and begin again")
    return found


def pictures_in(packed: bytes) -> list[Picture]:
    """The pictures of what `read_packed` gives."""
    lines = gzip.decompress(packed).splitlines()
    return [Picture(*json.loads(line)) for line in lines]


def samples_of(pictures: Sequence[Picture], cameras: bool) -> Samples:
    """What is known of pictures. cameras: whether any picture of the list has a camera's name; where none has, visible
    ones are by camera 1, infrared ones by 2."""
    unnamed = BESIDE if cameras else ALONE
    taken_by = [one.camera or unnamed[one.modality] for one in pictures]
    return Samples(
        [b""] * len(pictures),
        [one.path for one in pictures],
        np.array([number(one.identity) if one.identity else UNKNOWN for one in pictures], np.int64),
        np.array([one.modality == INFRARED for one in pictures], bool),
        np.array([number(name) for name in taken_by], np.int64),
        texts=texts_of(filter(None, [*(name for one in pictures for name in (one.identity, one.track)), *taken_by])),
        tracks=np.array([number(one.track) if one.track else UNKNOWN for one in pictures], np.int64),
        times=np.array([np.nan if one.time is None else one.time for one in pictures], np.float64),
    )
