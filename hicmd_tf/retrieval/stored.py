"""Descriptors on disk: .npz with what is known of each picture."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.arrays import read_arrays
from hicmd_tf.data.labels import column, texts_in
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources.records import Record, mixed_track
from hicmd_tf.errors import UserError
from hicmd_tf.files import replacing
from hicmd_tf.notation import INFRARED, MODALITIES

Array = np.ndarray[Any, Any]

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


def write_descriptors(file: Path, descriptors: Array, samples: Samples, model: str = "") -> None:
    """descriptors (N, E) float, identities and cameras (N,) int64, their texts, modality and names (N,) text; where
    there are tracks these (N,) int64 and their texts, where there are times these (N,) float64.

    An identity or a track below 0 is unknown. model: SHA-256 of the weights that described, for those who keep several
    such.
    """
    further: dict[str, Any] = {}
    if samples.tracked.any():
        further = {"tracks": samples.tracks, "track_texts": np.array(column(samples.tracks, samples.texts), str)}
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


class Stored(NamedTuple):
    """descriptors: (N, E). samples: what is known of their pictures, without the pictures, sorted by name. model:
    SHA-256 of the weights that described; empty where the file does not say."""

    descriptors: Array
    samples: Samples
    model: str


def read_descriptors(file: Path) -> Stored:
    """The content of a file by `write_descriptors`. Raises UserError for a file that is missing, damaged or has other
    arrays; nothing is unpickled."""
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
    columns = names, identities.tolist(), arrays["modality"].tolist(), cameras.tolist(), samples.tracks.tolist()
    mixed = mixed_track(map(Record, *columns), texts)
    if mixed:
        raise UserError(f"{file}: {mixed}")
    order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
    return Stored(arrays["descriptors"][order], samples.select(order), str(arrays["model"]))


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
