"""A gallery's entry of a picture, the selection of pictures, and the hits of a search."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from hicmd_tf.data.labels import number, shown
from hicmd_tf.errors import UserError, nearest, some
from hicmd_tf.notation import MODALITIES
from hicmd_tf.retrieval.threshold import Mark, Threshold

Array = np.ndarray[Any, Any]


class Entry(NamedTuple):
    """A picture's known facts.

    Args:
        path: of the file, or its name in a file of descriptors; a gallery has one entry for each.
        identity: number of the person; below 0: unknown.
        camera: number of the camera.
        modality: visible or infrared.
        time: seconds since 1970.
        digest: SHA-256 of the picture's file, or of its descriptor where only that is known; empty: unknown.
        person, device: names of identity and camera, where these are not numbers.
        track: name of the track; empty: none is known.
        track_folder: in which that name stands for one track: what was indexed, a folder or a file of descriptors;
            empty without a track.
    """

    path: str
    identity: int
    camera: int
    modality: str
    time: float
    digest: str = ""
    person: str = ""
    device: str = ""
    track: str = ""
    track_folder: str = ""

    @property
    def sequence(self) -> tuple[str, str] | None:
        """What tells its track from all others, of which another folder may have one of the same name; None without
        one."""
        return (self.track_folder, self.track) if self.track else None

    @property
    def who(self) -> str:
        """The identity as people read it."""
        return shown(self.identity, {self.identity: self.person} if self.person else {})

    @property
    def taken_by(self) -> str:
        """The camera as people read it."""
        return shown(self.camera, {self.camera: self.device} if self.device else {})


class Hit(NamedTuple):
    """A picture that was found.

    Args:
        similarity: the cosine, -1 to 1.
        entry: the picture.
        mark: what that says by a model's threshold; None without one, and of pictures of one modality, which thresholds
            are not chosen on.
        probability: of one person, if the hit were as often of one as not; None as the mark is, and where the threshold
            is not calibrated.
        pictures: how many of the gallery the hit stands for, of a person or a track; the entry is the most similar one.
    """

    similarity: float
    entry: Entry
    mark: Mark | None = None
    probability: float | None = None
    pictures: int = 1

    def marked(self, query: Entry, threshold: Threshold | None) -> "Hit":
        """The same for a query, with what a threshold says."""
        if threshold is None or self.entry.modality == query.modality:
            return self
        odds = threshold.calibration is not None
        probability = float(threshold.probabilities(self.similarity)) if odds else None
        return self._replace(mark=threshold.mark(self.similarity), probability=probability)


@dataclass(frozen=True)
class Selection:
    """Which pictures are meant: those that fit all fields that are given. None leaves a field open, an empty sequence
    means no picture.

    Args:
        paths, identities, cameras: any of these; people and cameras by number or name.
        not_cameras: none of these.
        tracks: any of these, by name; in another folder another track may be called the same.
        names: of people and cameras that were given by a name, by number; filled in.
        modality: visible or infrared.
        after: the earliest time.
        before: the first time that is too late.
    """

    paths: Sequence[str] | None = None
    identities: Sequence[int | str] | None = None
    cameras: Sequence[int | str] | None = None
    modality: str | None = None
    after: float | None = None
    before: float | None = None
    not_cameras: Sequence[int | str] | None = None
    tracks: Sequence[str] | None = None
    names: dict[int, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        def plain(label: Any) -> int:
            one = number(label) if isinstance(label, str) else int(label)
            self.names.setdefault(one, str(label))
            return one

        for name, kind in (
            ("paths", str),
            ("identities", plain),
            ("cameras", plain),
            ("not_cameras", plain),
            ("tracks", str),
        ):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, tuple(map(kind, getattr(self, name))))
        if self.modality is not None and self.modality not in MODALITIES:
            raise UserError(f"modality is {self.modality!r}, expected {' or '.join(map(repr, MODALITIES))}, or None")

    def __bool__(self) -> bool:
        """Whether any field is given."""
        return self != Selection()


class Info(NamedTuple):
    """model: SHA-256 of the weights that described; empty of an empty gallery. length: of a descriptor. rows: how many
    pictures."""

    model: str
    length: int
    rows: int


class Contents(NamedTuple):
    """What a gallery has: how many pictures of each modality and person, by each camera and of each track, by the names
    that people read; tracks of one name in two folders count together. first, last: times, in seconds since 1970; None
    of an empty one."""

    modalities: dict[str, int]
    people: dict[str, int]
    cameras: dict[str, int]
    tracks: dict[str, int]
    first: float | None
    last: float | None

    @classmethod
    def of(cls, groups: Iterable[tuple[Entry, int, float, float]]) -> "Contents":
        """groups: pictures that are alike in all of this, as one of them, how many there are, their first and last
        time."""
        counts: list[Counter[str]] = [Counter(), Counter(), Counter(), Counter()]
        times = []
        for entry, count, first, last in groups:
            for counter, name in zip(counts, (entry.modality, entry.who, entry.taken_by, entry.track), strict=True):
                counter[name] += count if name else 0
            times += [first, last]
        modalities, people, cameras, tracks = (
            dict(sorted((name, count) for name, count in one.items() if name)) for one in counts
        )
        return cls(modalities, people, cameras, tracks, min(times, default=None), max(times, default=None))


class Holding(Protocol):
    """A gallery, as far as it says what it has."""

    def info(self) -> Info:
        """Its model, length of descriptors and number of pictures."""
        ...

    def has(self, selection: Selection) -> bool:
        """Whether it has any of the selected pictures."""
        ...

    def contents(self) -> Contents:
        """What it has, in numbers of pictures."""
        ...


def refuse_apart(people: Mapping[int, str], modalities: Collection[str]) -> None:
    """Raises UserError for pictures that can't be one query. people: their names by number, unknown ones among them."""
    if len(modalities) > 1:
        raise UserError("the pictures that are one query are of two modalities: ask with those of one")
    known = [name for one, name in people.items() if one >= 0]
    if len(known) > 1:
        raise UserError(f"the pictures that are one query are of {some(known, 3)}: ask with those of one person")


def refuse_unknown(store: Holding, selection: Selection) -> None:
    """Raises UserError for the first of the selected people and cameras of whom, or by which, a gallery has no
    picture: misspelt, it would look like an empty result."""
    cameras = *(selection.cameras or ()), *(selection.not_cameras or ())
    asked = [("of", one, Selection(identities=[one])) for one in selection.identities or ()]
    asked += [("by the camera", one, Selection(cameras=[one])) for one in cameras]
    for kind, label, single in asked:
        if store.has(single) or not store.info().rows:
            continue
        held, name = store.contents(), selection.names.get(int(label), str(label))
        there = held.people if kind == "of" else held.cameras
        raise UserError(
            f"the gallery has no picture {kind} {name}{nearest(name, there)}: it has those {kind} {some([*there], 5)}"
        )


def checked(descriptors: Array, length: int) -> Array:
    """Descriptors (N, D) as float32 rows of length 1.

    Raises:
        UserError: where they have another length than D = `length`, or are not floats, finite and other than 0.
    """
    found = np.asarray(descriptors)
    if found.ndim != 2 or not np.issubdtype(found.dtype, np.floating):
        raise UserError(f"descriptors are {found.dtype} {found.shape}, expected floats (N, D)")
    if found.shape[1] != length:
        raise UserError(
            f"descriptors have length {found.shape[1]}, those of the gallery {length}: describe with its model"
        )
    scales = np.sqrt(np.einsum("ij,ij->i", found, found, dtype=np.float64))[:, None]
    if not np.isfinite(scales).all():
        raise UserError("descriptors hold values that are not finite numbers, expected none")
    if not scales.all():
        raise UserError(
            f"descriptor {int(np.argmin(scales))} is zero, expected a direction: describe its picture again"
        )
    return np.divide(found, scales, out=np.empty(found.shape, np.float32), casting="same_kind")


def news(entries: Sequence[Entry], held: Mapping[str, Entry]) -> list[int]:
    """Which entries a gallery is to write: of each path the first, where what it holds of it is not the same."""
    first = {entry.path: row for row, entry in reversed(list(enumerate(entries)))}
    return sorted(row for path, row in first.items() if held.get(path) != entries[row])


def refuse_unfit(info: Info, model: str, descriptors: Array, entries: Sequence[Entry]) -> None:
    """Raises UserError for pictures that a gallery can't take: of another model, or not what they should be."""
    same_model(info, model)
    if len(descriptors) != len(entries):
        raise UserError(f"there are {len(descriptors)} descriptors for {len(entries)} pictures, expected one each")
    for entry in entries:
        if entry.modality not in MODALITIES:
            raise UserError(f"{entry.path} is {entry.modality!r}: expected {' or '.join(MODALITIES)}")


def same_model(info: Info, model: str) -> None:
    """Raises UserError when descriptors come from another model than the gallery's."""
    if info.rows and info.model != model:
        names = [f"the model {one[:12]}" if one else "a model that is not named" for one in (info.model, model)]
        raise UserError(
            f"the gallery was described by {names[0]}, these pictures by {names[1]}, whose descriptors can't be "
            f"compared: take the gallery's model, or make a gallery of its own"
        )


def refuse_open(selection: Selection) -> None:
    """Raises UserError for a selection of everything, where pictures are to be removed."""
    if not selection:
        raise UserError("the selection leaves every field open: say which pictures are to be removed")
