"""A gallery's entry of a picture, the selection of pictures, and the hits of a search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.labels import number, shown
from hicmd_tf.errors import UserError
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

    def __post_init__(self) -> None:
        def plain(label: Any) -> int:
            return number(label) if isinstance(label, str) else int(label)

        for name, kind in (("paths", str), ("identities", plain), ("cameras", plain), ("not_cameras", plain)):
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
