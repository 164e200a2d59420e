"""Named records: pictures of people with what is known of each, row by row.

Pictures stay in their files until they are asked for, so that a data set needs no memory, and are then read ahead.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from hicmd_tf.data.labels import UNKNOWN, Texts, known, shown
from hicmd_tf.notation import INFRARED, VISIBLE, Modality
from hicmd_tf.pictures.bounds import content

Array = np.ndarray[Any, Any]
Given = TypeVar("Given")
Found = TypeVar("Found")
Split = Literal["train", "held_out", "test"]

SPLITS: dict[str, str] = {"train": "training", "held_out": "held-out", "test": "test"}
"""The splits in words."""
THREADS = max(2, min(8, os.cpu_count() or 1))  # pictures are decoded without Python's lock


class Contents(Sequence[bytes]):
    """As a list of byte strings, of which none is kept."""

    def __init__(self, readers: Sequence[Callable[[], bytes]]) -> None:
        self._readers = readers

    def __len__(self) -> int:
        return len(self._readers)

    def __getitem__(self, row: int) -> bytes:  # type: ignore[override]
        return self._readers[row]()

    def select(self, rows: Iterable[int]) -> "Contents":
        """Those of some rows."""
        return Contents([self._readers[row] for row in rows])


def files(folder: Path, names: Iterable[str]) -> Contents:
    """Pictures' files below a folder; reading one that is gone raises UserError."""
    return Contents([partial(content, folder / name) for name in names])


def ahead(work: Callable[[Given], Found], items: Iterable[Given], most: int = 2 * THREADS) -> Iterator[Found]:
    """`map(work, items)`, of which up to `most` results are made before they are asked for. What `work` raises, is
    raised in its place; who stops asking leaves no work undone."""
    waiting: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(min(THREADS, most)) as threads:
        try:
            for item in items:
                waiting.append(threads.submit(work, item))
                if len(waiting) > most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for unwanted in waiting:
                unwanted.cancel()


@dataclass(frozen=True)
class Samples:
    """N pictures. Pictures stay encoded until a batch needs them.

    encoded: N byte strings; of files `Contents`, which reads each when it is asked for.
    names: N names (a path or a key) by which an error or a ranked list calls a picture.
    identities: (N,) int64, the data set's own numbers or those of its names (`labels`), not class indices; negative
        where nobody says whom the picture shows.
    infrared: (N,) bool, True where the picture is infrared.
    cameras: (N,) int64.
    factors: further known factors by name, each (N,); for drawn people yaw, gait phase, illumination.
    texts: of the identities, cameras and tracks that have names that are not numbers.
    sixteen_bit: how pictures of 16 bits among them are shown with 8, as the setting data.sixteen_bit.
    tracks: (N,) int64, which pictures one camera took of one person in a row; negative for those of no known track, and
        left out where there is none.
    times: (N,) float64, when each was taken, in seconds since 1970; NaN, and left out, where nobody says.
    """

    encoded: Sequence[bytes]
    names: Sequence[str]
    identities: Array
    infrared: Array
    cameras: Array
    factors: dict[str, Array] = field(default_factory=dict)
    texts: Texts = field(default_factory=dict)
    sixteen_bit: str = ""
    tracks: Array = field(default_factory=partial(np.empty, 0, np.int64))
    times: Array = field(default_factory=partial(np.empty, 0, np.float64))

    def __post_init__(self) -> None:
        for name, unknown in (("tracks", UNKNOWN), ("times", np.nan)):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, np.full(len(self), unknown))

    def __len__(self) -> int:
        return len(self.encoded)

    def select(self, rows: Array) -> "Samples":
        """The given rows: indices (M,) or a mask (N,) of bool."""
        indices = (np.flatnonzero(rows) if rows.dtype == bool else rows).tolist()
        encoded = self.encoded
        return replace(
            self,
            encoded=encoded.select(indices) if isinstance(encoded, Contents) else [encoded[i] for i in indices],
            names=[self.names[i] for i in indices],
            identities=self.identities[indices],
            infrared=self.infrared[indices],
            cameras=self.cameras[indices],
            tracks=self.tracks[indices],
            times=self.times[indices],
            factors={name: values[indices] for name, values in self.factors.items()},
        )

    def of(self, modality: Modality) -> "Samples":
        """The pictures of one modality."""
        return self.select(self.infrared == (modality == INFRARED))

    def having(self, identities: Array) -> "Samples":
        """The pictures of the given identities."""
        return self.select(np.isin(self.identities, identities))

    def modality(self, row: int) -> Modality:
        """The modality of one row."""
        return INFRARED if self.infrared[row] else VISIBLE

    def identity(self, row: int) -> str:
        """Whom a row shows, as people read it."""
        return shown(int(self.identities[row]), self.texts)

    def camera(self, row: int) -> str:
        """Which camera took a row, as people read it."""
        return shown(int(self.cameras[row]), self.texts)

    def track(self, row: int) -> str:
        """The track of a row, as people read it; empty where it is in none."""
        return shown(int(self.tracks[row]), self.texts) if self.tracks[row] >= 0 else ""

    @property
    def tracked(self) -> Array:
        """Which pictures are of a known track, (N,) bool."""
        return known(self.tracks)

    @property
    def known(self) -> Array:
        """Which pictures show somebody who is known, (N,) bool; the others match nobody."""
        return known(self.identities)

    def shared(self) -> Array:
        """Known people of whom there are pictures in both modalities, ascending."""
        visible, infrared = (self.identities[self.known & (self.infrared == of)] for of in (False, True))
        return np.intersect1d(visible, infrared)


class DataSplits:
    """The three disjoint sets of identities: `train` updates weights, `held_out` chooses settings, `test` gives the
    final figures.

    Nobody gets at pictures that were not checked: a split is when it is first asked for. unchecked: all pictures by
    split, to be counted and compared, not to be decoded. skipped: of each split that was asked for how many pictures
    the check left out.
    """

    def __init__(
        self, train: Samples, held_out: Samples, test: Samples, check: Callable[[Samples, Split], Samples] | None = None
    ) -> None:
        """check: the pictures of a split that can be used; None: all of them. It may raise UserError."""
        self.unchecked: dict[Split, Samples] = {"train": train, "held_out": held_out, "test": test}
        self._check = check
        self._checked: dict[Split, Samples] = {}

    @property
    def train(self) -> Samples:
        return self._of("train")

    @property
    def held_out(self) -> Samples:
        return self._of("held_out")

    @property
    def test(self) -> Samples:
        return self._of("test")

    @property
    def skipped(self) -> dict[Split, int]:
        """How many pictures the check left out, by split that was asked for."""
        return {split: len(self.unchecked[split]) - len(samples) for split, samples in self._checked.items()}

    def _of(self, split: Split) -> Samples:
        if split not in self._checked:
            samples = self.unchecked[split]
            self._checked[split] = self._check(samples, split) if self._check else samples
        return self._checked[split]
