"""Descriptors on disk: .npz with what is known of each picture (imports no TensorFlow)."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.files import replacing
from hicmd_tf.notation import INFRARED, MODALITIES

Array = np.ndarray[Any, Any]

KEYS = ("descriptors", "identities", "cameras", "modality", "names")


def write_descriptors(file: Path, descriptors: Array, samples: Samples, model: str = "") -> None:
    """descriptors (N, E) float, identities and cameras (N,) int64, modality and names (N,) text.

    model: SHA-256 of the weights that described, for those who keep descriptors of several.
    """
    with replacing(file) as target:
        np.savez(
            target,
            descriptors=descriptors,
            identities=samples.identities,
            cameras=samples.cameras,
            modality=np.where(samples.infrared, *MODALITIES[::-1]),
            names=np.array(samples.names),
            model=np.array(model),
        )


def read_descriptors(file: Path) -> tuple[Array, Samples]:
    """Descriptors and what is known of their pictures, sorted by name; the samples have no pictures.

    Raises UserError for a file that is missing, damaged or has other arrays. Nothing is unpickled.
    """
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{file} can't be read as descriptors ({str(error)[:120]}): expected an .npz file") from error
    missing = [key for key in KEYS if key not in arrays]
    if missing:
        raise UserError(f"{file} has no array {missing[0]}: expected {', '.join(KEYS)}, one row a picture")
    rows = len(arrays["descriptors"]) if arrays["descriptors"].ndim == 2 else 0
    for key in KEYS[1:]:
        if arrays[key].shape != (rows,):
            raise UserError(f"{file}: {key} has shape {arrays[key].shape}, expected ({rows},): one for each descriptor")
    other = sorted(set(arrays["modality"].tolist()) - set(MODALITIES))
    if other:
        raise UserError(f"{file}: modality has {other[0]!r}: expected {' or '.join(MODALITIES)}")
    names = arrays["names"].tolist()
    samples = Samples([b""] * rows, names, arrays["identities"], arrays["modality"] == INFRARED, arrays["cameras"])
    order = np.array(sorted(range(rows), key=names.__getitem__), np.int64)
    return arrays["descriptors"][order], samples.select(order)


def model_of(file: Path) -> str:
    """Which weights made a file's descriptors, empty where it does not say; `read_descriptors` has found it whole."""
    with np.load(file, allow_pickle=False) as stored:
        return str(stored["model"]) if "model" in stored.files else ""
