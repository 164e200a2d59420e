"""Descriptors on disk, with what is known of each picture: .npz, or Parquet, in one file or in the parts of a folder.

Parquet has a row for each picture: path, modality, identity, camera and track (as people read them), time, descriptor
(float32, all of one length), model (SHA-256 of the weights that described), error (why a picture could not be used; its
descriptor is null then) and flat (whether it is nearly constant). A file of anyone's making needs path, modality and
descriptor. pandas, DuckDB and Spark read it as it is.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.arrays import read_arrays
from hicmd_tf.data.labels import UNKNOWN, column, number, texts_in, texts_of
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources.folder import ALONE
from hicmd_tf.data.sources.records import Record, mixed_track
from hicmd_tf.errors import UserError, counted
from hicmd_tf.files import read_json, replacing
from hicmd_tf.notation import INFRARED, MODALITIES

Array = np.ndarray[Any, Any]

NPZ, PARQUET = ".npz", ".parquet"
EXTRACTION = "_extraction.json"
"""What a folder of parts says of itself while hicmd extract fills it, and afterwards."""
ROWS = 1 << 15  # of Parquet that are read at once
NEEDED = ("path", "modality", "descriptor")
LABELS = ("identity", "camera", "track", "model", "error")
"""Columns of text that a file in Parquet may have; whole numbers will do for the first three."""

KEYS = {
    "descriptors": ("fiu", "numbers"),
    "identities": ("iu", "whole numbers"),
    "cameras": ("iu", "whole numbers"),
    "modality": ("U", "text"),
    "names": ("U", "text"),
    "identity_texts": ("U", "text"),
    "camera_texts": ("U", "text"),
    "tracks": ("iu", "whole numbers"),
    "track_texts": ("U", "text"),
    "times": ("fiu", "numbers"),
}
"""Arrays with one row per picture: the kinds of their NumPy types, and these kinds in words."""
TEXTS = {"identity_texts": "identities", "camera_texts": "cameras", "track_texts": "tracks"}
"""Arrays of the texts that people know the numbers by, and the numbers' array."""
FURTHER = (*TEXTS, "tracks", "times")
"""Arrays that a file need not have."""
FAILED = ("failed", "errors")
"""Arrays of pictures that could not be described: their names, and why."""


def write_descriptors(
    file: Path,
    descriptors: Array,
    samples: Samples,
    model: str = "",
    errors: Mapping[int, str] | None = None,
    flat: Array | None = None,
) -> None:
    """Descriptors (N, E) float and what is known of their pictures, as .npz or, by the file's name, in Parquet.

    .npz has identities and cameras (N,) int64, their texts, modality and names (N,) text; where there are tracks these
    (N,) int64 and their texts, where there are times these (N,) float64; where some are nearly constant flat (N,) bool;
    where some could not be described their names and why, failed and errors (F,), which the other arrays leave out. An
    identity or a track below 0 is unknown.

    Args:
        file: to write.
        descriptors: (N, E).
        samples: what is known of each.
        model: SHA-256 of the weights that described, for those who keep several such.
        errors: why a row has no descriptor.
        flat: whether each is nearly constant, (N,) bool.
    """
    errors = errors or {}
    if file.suffix.lower() == PARQUET:
        _write_parquet(file, descriptors, samples, model, errors, flat)
        return
    further: dict[str, Any] = {}
    if errors:
        kept = np.array([row for row in range(len(samples)) if row not in errors], np.int64)
        failed = [samples.names[row] for row in errors]
        further = {"failed": np.array(failed, str), "errors": np.array([*errors.values()], str)}
        descriptors, samples = descriptors[kept], samples.select(kept)
        flat = None if flat is None else flat[kept]
    if flat is not None and flat.any():
        further["flat"] = flat
    if samples.tracked.any():
        further |= {"tracks": samples.tracks, "track_texts": np.array(column(samples.tracks, samples.texts), str)}
    if not np.isnan(samples.times).all():
        further["times"] = samples.times
    with replacing(file) as target:
        np.savez(
            target,
            descriptors=descriptors,
            identities=samples.identities,
            cameras=samples.cameras,
            modality=np.where(samples.infrared, *MODALITIES[::-1]),
            names=np.array(samples.names, str),
            identity_texts=np.array(column(samples.identities, samples.texts), str),
            camera_texts=np.array(column(samples.cameras, samples.texts), str),
            model=np.array(model),
            **further,
        )


def _write_parquet(
    file: Path, descriptors: Array, samples: Samples, model: str, errors: Mapping[int, str], flat: Array | None
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, length = range(len(samples)), descriptors.shape[1]
    failed = np.isin(np.arange(len(samples)), [*errors])
    values = pa.array(np.ascontiguousarray(descriptors, np.float32).reshape(-1))
    kind = pa.list_(pa.field("element", pa.float32(), nullable=False), length)
    labels = {
        "identity": [samples.identity(row) if samples.known[row] else None for row in rows],
        "camera": [samples.camera(row) for row in rows],
        "track": [samples.track(row) or None for row in rows],
    }
    table = pa.table(
        {
            "path": pa.array(samples.names, pa.string()),
            "modality": pa.array([samples.modality(row) for row in rows], pa.string()),
            **{name: pa.array(texts, pa.string()) for name, texts in labels.items()},
            "time": pa.array(samples.times, pa.float64(), mask=np.isnan(samples.times)),
            "descriptor": pa.FixedSizeListArray.from_arrays(values, type=kind, mask=pa.array(failed)),
            "model": pa.array([model] * len(samples), pa.string()),
            "error": pa.array([errors.get(row) for row in rows], pa.string()),
            "flat": pa.array(np.zeros(len(samples), bool) if flat is None else flat, mask=failed),
        }
    )
    with replacing(file) as target:
        pq.write_table(table, target, **WRITING)


WRITING = {
    "compression": {name: "zstd" for name in (*LABELS, "path", "modality", "time", "flat")},
    "use_dictionary": [*LABELS, "modality"],
    "write_statistics": [*LABELS, "path", "modality", "time"],
    "write_page_checksum": True,
}
"""How Parquet is written; descriptors would not become smaller."""


class Stored(NamedTuple):
    """descriptors: (N, E). samples: what is known of their pictures, without the pictures, sorted by name. model:
    SHA-256 of the weights that described; empty where the file does not say. failed: why further pictures have no
    descriptor, by name."""

    descriptors: Array
    samples: Samples
    model: str
    failed: Mapping[str, str] = {}


def is_parquet(place: Path) -> bool:
    """Whether descriptors are in Parquet, in one file or the parts of a folder."""
    return place.is_dir() or place.suffix.lower() == PARQUET


def read_descriptors(file: Path) -> Stored:
    """The content of a file by `write_descriptors`, or of a folder of parts, in memory. Raises UserError for what is
    missing, damaged or has other arrays; nothing is unpickled."""
    if is_parquet(file):
        return _joined(file, list(descriptor_batches(file)))
    arrays = _read(file)
    names = arrays["names"].tolist()
    identities, cameras = (arrays[key].astype(np.int64) for key in ("identities", "cameras"))
    texts: dict[int, str] = {}
    for key, of in TEXTS.items():
        if key in arrays:
            texts |= texts_in(arrays[of].tolist(), arrays[key].tolist(), f"{file}: {key}")
    tracks, times = (arrays.get(key, np.empty(0)) for key in ("tracks", "times"))
    tracks, infrared = tracks.astype(np.int64), arrays["modality"] == INFRARED
    samples = Samples([b""] * len(names), names, identities, infrared, cameras, texts=texts, tracks=tracks, times=times)
    failed = dict(zip(*(arrays[key].tolist() for key in FAILED), strict=True)) if {*FAILED} <= {*arrays} else {}
    return _sorted(file, Stored(arrays["descriptors"], samples, str(arrays["model"]), failed))


def _sorted(file: Path, found: Stored) -> Stored:
    """The same by name. Raises UserError for a track of two people, cameras or modalities."""
    samples = found.samples
    modality = np.where(samples.infrared, *MODALITIES[::-1]).tolist()
    of_each = samples.identities.tolist(), modality, samples.cameras.tolist(), samples.tracks.tolist()
    mixed = mixed_track(map(Record, samples.names, *of_each), samples.texts) if samples.tracked.any() else ""
    if mixed:
        raise UserError(f"{file}: {mixed}")
    order = np.array(sorted(range(len(samples)), key=samples.names.__getitem__), np.int64)
    return found._replace(descriptors=found.descriptors[order], samples=samples.select(order))


def _joined(file: Path, batches: Sequence[Stored]) -> Stored:
    """All batches of a place as one."""
    if not batches:
        raise UserError(f"{file} has no row: expected at least one descriptor")
    each = [batch.samples for batch in batches]
    named = "identities", "infrared", "cameras", "tracks", "times"
    identities, infrared, cameras, tracks, times = (
        np.concatenate([getattr(one, name) for one in each]) for name in named
    )
    samples = Samples(
        [b""] * len(identities),
        [name for one in each for name in one.names],
        identities,
        infrared,
        cameras,
        texts={number: text for one in each for number, text in one.texts.items()},
        tracks=tracks,
        times=times,
    )
    failed = {name: why for batch in batches for name, why in batch.failed.items()}
    described = [batch.descriptors for batch in batches if len(batch.descriptors)] or [batches[0].descriptors]
    model = next((batch.model for batch in batches if batch.model), "")  # of failed rows alone a batch has none
    return _sorted(file, Stored(np.concatenate(described), samples, model, failed))


def parquet_files(place: Path) -> list[Path]:
    """The files in Parquet that a place is, or a folder holds. Raises UserError where there is none, and for a folder
    that hicmd extract has not filled yet."""
    if not place.is_dir():
        if not place.is_file():
            raise UserError(f"{place} can't be read (there is no such file): expected descriptors in Parquet")
        return [place]
    found = sorted(file for file in place.glob(f"*{PARQUET}") if not file.name.startswith((".", "_")))
    if (place / EXTRACTION).is_file():
        wanted = read_json(place / EXTRACTION).get("parts")
        if wanted != len(found):
            raise UserError(
                f"{place} has {len(found):,} of {wanted:,} parts: finish it with the hicmd extract that began it"
            )
    if not found:
        raise UserError(f"{place} is a folder without Parquet files: expected descriptors by hicmd extract")
    return found


def descriptor_count(place: Path) -> int:
    """Rows of a file in Parquet, or of a folder's."""
    import pyarrow.parquet as pq

    return sum(_readable(file, lambda file: pq.read_metadata(file).num_rows) for file in parquet_files(place))


def descriptor_batches(place: Path, rows: int = ROWS) -> Iterator[Stored]:
    """What a file in Parquet holds, or the parts of a folder, at most so many rows at once, in their order.

    Raises UserError for what is damaged or has other columns, or descriptors of two lengths or models.
    """
    import pyarrow.parquet as pq

    length, model = None, None
    for file in parquet_files(place):
        opened = _readable(file, lambda file: pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=False))
        with opened:
            names = opened.schema_arrow.names
            lacking = [name for name in NEEDED if name not in names]
            if lacking:
                raise UserError(f"{file} has no column {lacking[0]}: expected {', '.join(NEEDED)}, a row per picture")
            columns = [name for name in (*NEEDED, *LABELS, "time") if name in names]
            batches = opened.iter_batches(rows, columns=columns, use_threads=False)
            while (batch := _readable(file, lambda _, batches=batches: next(batches, None))) is not None:
                found = _batch(file, batch)
                if len(found.descriptors):
                    length = found.descriptors.shape[1] if length is None else length
                    model = found.model if model is None else model
                    if length != found.descriptors.shape[1]:
                        raise UserError(
                            f"{file} has descriptors of length {found.descriptors.shape[1]}, before it were some of "
                            f"{length}: give those of one model"
                        )
                    if model != found.model:
                        raise UserError(f"{file} is of another model than what came before it: give those of one")
                yield found._replace(model=model or "")


def _readable(file: Path, read: Any) -> Any:
    """What reading a file gives. Raises UserError where Arrow can't read it."""
    import pyarrow as pa

    try:
        return read(file)
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{file} can't be read as descriptors ({reason}): expected Parquet, copy it again") from error


def _batch(file: Path, batch: Any) -> Stored:
    """Rows of Parquet as arrays."""
    columns = {name: batch.column(name) for name in batch.schema.names}
    labels = {name: _labels(columns[name]) if name in columns else [""] * len(batch) for name in ("path", *LABELS)}
    modality = _labels(columns["modality"])
    other = sorted({*modality} - {*MODALITIES})
    if other:
        raise UserError(f"{file}: modality has {other[0][:40]!r}: expected {' or '.join(MODALITIES)}")
    whole = np.array([row for row in range(len(batch)) if not labels["error"][row]], np.int64)
    descriptors = _rows(file, columns["descriptor"].take(_indices(whole)))
    models = {labels["model"][row] for row in whole.tolist()}
    if len(models) > 1:
        raise UserError(f"{file} has descriptors of {counted(len(models), 'model')}: give those of one")
    names = [labels["path"][row] for row in whole.tolist()]
    of = {name: [labels[name][row] for row in whole.tolist()] for name in ("identity", "camera", "track")}
    camera = [text or ALONE[modality[row]] for row, text in zip(whole.tolist(), of["camera"], strict=True)]
    times = _times(file, columns["time"])[whole] if "time" in columns else np.full(len(whole), math.nan)
    samples = Samples(
        [b""] * len(whole),
        names,
        np.array([number(text) if text else UNKNOWN for text in of["identity"]], np.int64),
        np.array([modality[row] == INFRARED for row in whole.tolist()], bool),
        np.array([number(text) for text in camera], np.int64),
        texts=texts_of({*of["identity"], *camera, *of["track"]} - {""}),
        tracks=np.array([number(text) if text else UNKNOWN for text in of["track"]], np.int64),
        times=times,
    )
    failed = {path: why for path, why in zip(labels["path"], labels["error"], strict=True) if why}
    return Stored(descriptors, samples, next(iter(models), ""), failed)


def _indices(rows: Array) -> Any:
    import pyarrow as pa

    return pa.array(rows, pa.int64())


def _labels(values: Any) -> list[str]:
    return ["" if value is None else str(value) for value in values.to_pylist()]


def _times(file: Path, values: Any) -> Array:
    """Seconds since 1970, NaN where nobody says."""
    import pyarrow as pa

    if not pa.types.is_floating(values.type) and not pa.types.is_integer(values.type):
        raise UserError(f"{file}: time is {values.type}, expected seconds since 1970")
    return values.cast(pa.float64()).to_numpy(zero_copy_only=False)


def _rows(file: Path, values: Any) -> Array:
    """Lists of numbers as rows (N, E)."""
    import pyarrow as pa

    kind = values.type
    lists = pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not lists or not pa.types.is_floating(kind.value_type):
        raise UserError(f"{file}: descriptor is {kind}, expected lists of float32")
    if values.null_count:
        raise UserError(f"{file} has a row without a descriptor, and without an error that says why")
    flat = values.flatten().to_numpy(zero_copy_only=False)
    if len(values) and len(flat) % len(values):
        raise UserError(f"{file} has descriptors of several lengths, expected one")
    if not pa.types.is_fixed_size_list(kind) and len({*values.value_lengths().to_pylist()}) > 1:
        raise UserError(f"{file} has descriptors of several lengths, expected one")
    return flat.reshape(len(values), -1) if len(values) else np.empty((0, 0), np.float32)


def _read(file: Path) -> dict[str, Array]:
    """Arrays of `KEYS`, and the model. Raises UserError when they don't fit together."""
    arrays = {"model": np.array(""), **read_arrays(file, "descriptors")}
    needed = [key for key in KEYS if key not in FURTHER or key in map(TEXTS.get, arrays)]
    missing = [key for key in needed if key not in arrays]
    if missing and {*arrays} == {"model", "descriptors", "names"}:
        raise UserError(
            f"{file} is of hicmd describe, which says neither modality nor person of the pictures: describe them with "
            "hicmd extract, or ask with the pictures themselves"
        )
    if missing:
        raise UserError(f"{file} has no array {missing[0]}: expected {', '.join(needed)}, one row per picture")
    if arrays["descriptors"].ndim != 2:
        raise UserError(f"{file}: descriptors has shape {arrays['descriptors'].shape}, expected (N, E)")
    rows = len(arrays["descriptors"])
    for key in (key for key in KEYS if key in arrays):
        found, (kinds, words) = arrays[key], KEYS[key]
        if key != "descriptors" and found.shape != (rows,):
            raise UserError(f"{file}: {key} has shape {found.shape}, expected ({rows},): one for each descriptor")
        if found.dtype.kind not in kinds:
            raise UserError(f"{file}: {key} is {found.dtype}, expected {words}")
    other = sorted(set(arrays["modality"].tolist()) - set(MODALITIES))
    if other:
        raise UserError(f"{file}: modality has {other[0][:40]!r}: expected {' or '.join(MODALITIES)}")
    return arrays
