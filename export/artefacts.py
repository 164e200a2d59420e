"""Exported models, opened again as a user without our networks would: each describes encoded pictures."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from hicmd_tf.config import Config
from hicmd_tf.data.pictures import fitted, normalise
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.export.branch import OUTPUT
from hicmd_tf.export.metadata import FILE, Metadata, read_metadata
from hicmd_tf.notation import INFRARED, MODALITIES, Modality
from hicmd_tf.pictures.decode import decode, simple

Array = np.ndarray[Any, Any]

BATCH = 16
UNREADABLE = (tf.errors.OpError, AssertionError, ValueError, RuntimeError, LookupError, OSError)
"""What TensorFlow raises of damaged SavedModels."""

PRECISIONS = {"fp32": "", "int8": "_int8"}


class Artefact(Protocol):
    """name: what tables call it. metadata, config: what it says of itself."""

    name: str
    metadata: Metadata
    config: Config

    def describe(self, encoded: Sequence[bytes], modality: Modality) -> Array:
        """A few encoded pictures -> descriptors (B, E)."""


class SavedModel:
    """A SavedModel, loaded with `tf.saved_model.load` alone, asked through its signatures for encoded pictures."""

    def __init__(self, folder: Path) -> None:
        self.name = "SavedModel"
        self.metadata, self.config = read_metadata(folder / "assets.extra" / FILE)
        try:
            self._model = tf.saved_model.load(str(folder))
        except UNREADABLE as error:
            raise UserError(f"{folder} can't be loaded ({' '.join(str(error).split())[:150]}): export it again") from (
                error
            )
        self.signatures = dict(self._model.signatures)  # which don't keep the model's weights alive
        missing = [f"{m}_bytes" for m in MODALITIES if f"{m}_bytes" not in self.signatures]
        if missing:
            raise UserError(f"{folder} has no signature {missing[0]}: export it again")

    def describe(self, encoded: Sequence[bytes], modality: Modality) -> Array:
        run = self.signatures[f"{modality}_bytes"]
        return run(picture_bytes=tf.constant(list(map(simple, encoded)), tf.string))[OUTPUT].numpy()


class OnnxModel:
    """The ONNX files of one precision and kind of input, run by onnxruntime.

    threads: for one picture's work; 0: as many as cores.
    """

    def __init__(self, folder: Path, precision: str, floats: bool = False, threads: int = 0) -> None:
        self.name = f"ONNX {precision}{', floats' if floats else ''}"
        self.metadata, self.config = read_metadata(folder / FILE)
        self._floats = floats
        names = {m: onnx_file(m, precision, floats) for m in MODALITIES}
        self._sessions = {modality: session(folder / name, threads) for modality, name in names.items()}

    def describe(self, encoded: Sequence[bytes], modality: Modality) -> Array:
        data = self.config.data
        if self._floats:
            sized = (fitted(one, data.height, data.width, data.sixteen_bit) for one in encoded)
            pictures = [normalise(picture).numpy() for picture in sized]
        else:
            pictures = [decode(one, data.sixteen_bit) for one in encoded]
        found = np.empty((len(pictures), self.metadata["descriptor"]["length"]), np.float32)
        for rows in _of_one_size(pictures):
            found[rows] = self.run(np.stack([pictures[row] for row in rows]), modality)
        return found

    def run(self, pictures: Array, modality: Modality) -> Array:
        """Pictures (B, H, W, 3) of one size -> descriptors (B, E)."""
        session = self._sessions[modality]
        return session.run([OUTPUT], {session.get_inputs()[0].name: pictures})[0]


def session(file: Path, threads: int = 0) -> Any:
    """An onnxruntime session on the CPU. Raises UserError when the file is missing or damaged."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors; the others are notes to its authors
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base
        reason = " ".join(str(error).split())[:150]
        raise UserError(f"{file} can't be loaded as ONNX ({reason}): export it again") from error


def onnx_file(modality: Modality, precision: str, floats: bool = False) -> str:
    """The name of one file: visible.onnx, infrared_int8.onnx, visible_floats.onnx .."""
    return f"{modality}{'_floats' if floats else ''}{PRECISIONS[precision]}.onnx"


def held(path: Path) -> list[Callable[[], Artefact]]:
    """What opens all that a folder holds: a SavedModel (or the newest of its numbered versions), or ONNX files.

    Raises UserError when it holds neither, before anything is loaded.
    """
    if (path / "saved_model.pb").is_file():
        return [partial(SavedModel, path)]
    versions = [int(child.name) for child in path.iterdir() if child.name.isdecimal()] if path.is_dir() else []
    if versions:
        return [partial(SavedModel, path / str(max(versions)))]
    kinds = [(precision, floats) for floats in (False, True) for precision in PRECISIONS]
    found = [kind for kind in kinds if (path / onnx_file("visible", *kind)).is_file()]
    if not found:
        raise UserError(
            f"{path} is no exported model: expected what hicmd export saved-model or hicmd export onnx made"
        )
    return [partial(OnnxModel, path, *kind) for kind in found]


def open_artefacts(path: Path) -> list[Artefact]:
    """All that a folder holds. Raises UserError when it holds nothing, or something damaged."""
    return [opens() for opens in held(path)]


def descriptors(artefact: Artefact, samples: Samples) -> Array:
    """Descriptors (N, E) of pictures of either modality, in their order."""
    found = np.empty((len(samples), artefact.metadata["descriptor"]["length"]), np.float32)
    with tqdm(total=len(samples), desc=f"describing, {artefact.name}", unit="picture", leave=False) as bar:
        for modality in MODALITIES:
            rows = np.flatnonzero(samples.infrared == (modality == INFRARED))
            for chosen in _chunks(rows):
                found[chosen] = artefact.describe([samples.encoded[row] for row in chosen.tolist()], modality)
                bar.update(len(chosen))
    return found


def _chunks(rows: Array) -> Iterable[Array]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


def _of_one_size(pictures: Sequence[Array]) -> Iterator[list[int]]:
    by_size: dict[tuple[int, ...], list[int]] = {}
    for row, picture in enumerate(pictures):
        by_size.setdefault(picture.shape, []).append(row)
    yield from by_size.values()
