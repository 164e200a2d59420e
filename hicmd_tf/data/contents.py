"""Contents of files that are read when they are asked for: a data set needs no memory (imports no TensorFlow)."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import overload

from hicmd_tf.errors import UserError
from hicmd_tf.pictures.bounds import content

Reader = Callable[[], bytes]
Stamp = tuple[int, int]


class Contents(Sequence[bytes]):
    """As a list of byte strings, of which none is kept."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._readers = readers

    def __len__(self) -> int:
        return len(self._readers)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> "Contents": ...
    def __getitem__(self, index: int | slice) -> "bytes | Contents":
        return Contents(self._readers[index]) if isinstance(index, slice) else self._readers[index]()

    def __add__(self, other: "Contents") -> "Contents":
        return Contents([*self._readers, *other._readers])

    def select(self, rows: Iterable[int]) -> "Contents":
        """Those of some rows."""
        return Contents([self._readers[row] for row in rows])


def files(folder: Path, names: Iterable[str]) -> Contents:
    """Pictures' files below a folder. Raises UserError for one that is not there; reading one does so when it is gone,
    or was written again meanwhile: what was made of it before, and what comes, would not belong together."""
    return Contents([partial(_unchanged, folder / name, _stamp(folder / name)) for name in names])


def _unchanged(file: Path, stamp: Stamp) -> bytes:
    found = content(file)
    if _stamp(file) != stamp:
        raise UserError(f"{file} was written again while it was in use: give the same command again")
    return found


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError as error:
        raise UserError(f"{file} can't be read ({error.strerror}): copy it again, and let it be read") from error
    return found.st_size, found.st_mtime_ns
