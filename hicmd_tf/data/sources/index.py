"""An index of pictures that lie anywhere: a CSV as `table` has it, or Parquet with the same columns, row by row.

Index and pictures may be URLs, which fsspec opens (http://.., s3://bucket/..). A path that is neither a URL nor
absolute begins in the folder of the index. identity, camera, time and track may be left out, and modality where
--modality says it of all.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from hicmd_tf.data.sources.paths import Said
from hicmd_tf.data.sources.table import FURTHER, NEEDED, label, refuse_columns, rows_in
from hicmd_tf.errors import UserError
from hicmd_tf.notation import Modality
from hicmd_tf.pictures.bounds import LARGEST_BYTES, content

SUFFIXES = (".csv", ".parquet")
BATCH = 4096  # rows of Parquet that are read at once
PIECE = 1 << 20  # bytes
COLUMNS = tuple(name for name in (*NEEDED, *FURTHER) if name != "split")
"""All pictures of an index are described, and none is trained on."""


def is_index(place: str) -> bool:
    """Whether this is the name of an index."""
    return place.lower().endswith(SUFFIXES)


def is_url(place: str) -> bool:
    """Whether a path is a URL."""
    return "://" in place


def root_of(place: str) -> str:
    """Where relative paths in an index begin."""
    return place.rpartition("/")[0] if is_url(place) else str(Path(place).absolute().parent)


def location(root: str, path: str) -> str:
    """Where a picture of an index lies. root: where relative paths begin."""
    return path if is_url(path) or path.startswith("/") else f"{root}/{path}"


def read(place: str) -> bytes:
    """A picture's file as it lies at a path or URL, as `content` reads it. Raises UserError when it can't be read."""
    if not is_url(place):
        return content(Path(place))
    with opened(place, "expected a picture") as file:
        return file.read(LARGEST_BYTES + 1)


@contextmanager
def opened(place: str, expected: str) -> Iterator[IO[bytes]]:
    """A file or URL to be read. expected: what it should be. Raises UserError when it can't be read."""
    try:
        if is_url(place):
            import fsspec

            with fsspec.open(place, "rb") as file:
                yield file
        else:
            with Path(place).open("rb") as file:
                yield file
    except (UserError, MemoryError):
        raise
    except Exception as error:  # every file system of fsspec has its own
        if isinstance(error, ModuleNotFoundError) and error.name == "fsspec":
            raise
        lacking = error.__cause__ if isinstance(error, ImportError) else None
        if isinstance(lacking, ModuleNotFoundError) and lacking.name:
            raise UserError(f"{place} needs {lacking.name}: pip install {lacking.name}") from error
        raise UserError(f"{place} can't be read ({_reason(error)}): {expected}, check the address") from error


def _reason(error: BaseException) -> str:
    """Why something can't be read, in a few words."""
    if isinstance(error, FileNotFoundError) and not error.strerror:  # by fsspec, which says no more than the address
        return _reason(error.__cause__) if error.__cause__ else "there is no such file"
    return getattr(error, "strerror", None) or " ".join(str(error).split())[:160] or type(error).__name__


def digest(place: str) -> str:
    """SHA-256 of an index."""
    found = sha256()
    with opened(place, "expected an index of pictures") as file:
        while piece := file.read(PIECE):
            found.update(piece)
    return found.hexdigest()


def indexed(place: str, modality: Modality | None = None) -> Iterator[tuple[str, Said]]:
    """What an index says of each path, in its order.

    modality: of all of them; None: the index says it. Raises UserError, with the row, for what makes no sense.
    """
    needed = ("path",) if modality else ("path", "modality")
    rows = _parquet(place, needed) if place.lower().endswith(".parquet") else _csv(place, needed)
    for where, row in rows:
        if not row["path"]:
            raise UserError(f"{where} has no path: say where the picture is, or take the row out")
        path, said = label(where, {"modality": modality or "", **row}, "the index")
        if modality and said.modality != modality:
            raise UserError(f"{where} is {said.modality}, but --modality says {modality}: leave that out")
        yield path, said


def _csv(place: str, needed: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    with opened(place, "expected an index of pictures") as file:
        lines = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        try:
            yield from rows_in(place, lines, needed, _further(needed))
        except UnicodeDecodeError as error:
            raise UserError(f"{place} is not a text file in UTF-8: expected a table, commas between columns") from error


def _parquet(place: str, needed: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with opened(place, "expected an index of pictures in Parquet") as opened_file:
        table = pq.ParquetFile(opened_file)
        names = {name.strip().casefold(): name for name in table.schema_arrow.names}
        refuse_columns(place, [*names], needed, _further(needed), "the columns ", ", and nothing else")
        number = 0
        for batch in table.iter_batches(BATCH, columns=[*names.values()], use_threads=False):
            columns = [
                _numerals(f"{place}: {known}", batch.column(name), number)
                if known != "time" and pa.types.is_floating(batch.column(name).type)
                else _texts(batch.column(name), pa)
                for known, name in names.items()
            ]
            for values in zip(*columns, strict=True):
                number += 1
                yield f"{place}, row {number}", dict(zip(names, values, strict=True))


def _further(needed: tuple[str, ...]) -> list[str]:
    """Columns that an index may have."""
    return [name for name in COLUMNS if name not in needed]


def _numerals(name: str, column: Any, before: int) -> list[str]:
    """Whole numbers that are kept as floats, as pandas does where some are null. name: for messages. before: rows
    before these."""
    values = column.to_pylist()
    for row, value in enumerate(values, before + 1):
        if value is not None and value == value and not float(value).is_integer():
            raise UserError(f"{name} is {value} in row {row}: expected text or whole numbers")
    return ["" if value is None or value != value else str(int(value)) for value in values]


def _texts(column: Any, pa: Any) -> list[str]:
    """Values as a CSV would have them."""
    if pa.types.is_timestamp(column.type):  # of nanoseconds pandas would make something else
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        return ["" if value is None else value.isoformat() for value in column.to_pylist()]
    return ["" if value is None or value != value else str(value).strip() for value in column.to_pylist()]
