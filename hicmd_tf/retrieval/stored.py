"""Descriptors on disk: .npz with what is known of each picture."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.arrays import read_arrays
from hicmd_tf.data.labels import column, texts_in
from hicmd_tf.data.samples import Samples
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
}
"""Arrays with one row per picture: the kinds of their NumPy types, and these kinds in words."""
TEXTS = {"identity_texts": "identities", "camera_texts": "cameras"}
"""Arrays of the texts that people know the numbers by, and the numbers' array; a file need not have them."""


def write_descriptors(file: Path, descriptors: Array, samples: Samples, model: str = "") -> None:
    """descriptors (N, E) float, identities and cameras (N,) int64, their texts, modality and names (N,) text.

    An identity below 0 is unknown. model: SHA-256 of the weights that described, for those who keep several such.
    """
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
    samples = Samples([b""] * len(names), names, identities, arrays["modality"] == INFRARED, cameras, texts=texts)
    order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
    return Stored(arrays["descriptors"][order], samples.select(order), str(arrays["model"]))


def _read(file: Path) -> dict[str, Array]:
    """Arrays of `KEYS`, and the model. Raises UserError when they don't fit together."""
    arrays = {"model": np.array(""), **read_arrays(file, "descriptors")}
    needed = [key for key in KEYS if key not in TEXTS]
    missing = [key for key in needed if key not in arrays]
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
