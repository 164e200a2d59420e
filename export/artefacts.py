"""Exported models, opened again as a user without our networks would: each describes encoded pictures.

TensorFlow is imported where it is needed: what is not there is noticed before.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.export.metadata import FILE, Metadata, read_metadata
from hicmd_tf.notation import INFRARED, MODALITIES, Modality
from hicmd_tf.pictures.decode import decode, simple

Array = np.ndarray[Any, Any]

OUTPUT = "descriptors"
BATCH = 16
CUDA = "CUDAExecutionProvider"
PRECISIONS = {"fp32": "", "int8": "_int8"}


class SavedModel:
    """A SavedModel, loaded with `tf.saved_model.load` alone, asked through its signatures for encoded pictures.

    name: what tables call it. metadata, config: what it says of itself; ONNX models have the same.
    """

    def __init__(self, folder: Path) -> None:
        self.name = "SavedModel"
        self.metadata, self.config = read_metadata(folder / "assets.extra" / FILE)
        import tensorflow as tf

        try:
            self._model = tf.saved_model.load(str(folder))
        except Exception as error:  # of damaged files TensorFlow raises many kinds
            raise _unloadable(folder, error) from error
        self.signatures = dict(self._model.signatures)  # which don't keep the model's weights alive
        if any(f"{m}_bytes" not in self.signatures for m in MODALITIES):
            raise UserError(f"{folder} lacks our signatures: export it again")

    def describe(self, encoded: Sequence[bytes], modality: Modality) -> Array:
        """A few encoded pictures -> descriptors (B, E)."""
        import tensorflow as tf

        run = self.signatures[f"{modality}_bytes"]
        return run(picture_bytes=tf.constant(list(map(simple, encoded)), tf.string))[OUTPUT].numpy()

    def describe_decoded(self, pictures: Sequence[Array], modality: Modality) -> Array:
        """The same of a few decoded pictures, uint8 (H, W, 3) of any sizes."""
        import tensorflow as tf

        run = self.signatures[modality]
        return _by_size(pictures, self.metadata, lambda some: run(pictures=tf.constant(some))[OUTPUT].numpy())


class OnnxModel:
    """The ONNX files of one precision and kind of input, run by onnxruntime."""

    def __init__(
        self, folder: Path, precision: str, floats: bool = False, threads: int = 0, device: str = "cpu"
    ) -> None:
        """threads, device: as of `session`."""
        self.name = f"ONNX {precision}{', floats' if floats else ''}"
        self.metadata, self.config = read_metadata(folder / FILE)
        self._floats = floats
        files = {m: folder / onnx_file(m, precision, floats) for m in MODALITIES}
        self._sessions = {m: session(file, threads, device) for m, file in files.items()}

    def describe(self, encoded: Sequence[bytes], modality: Modality) -> Array:
        """A few encoded pictures -> descriptors (B, E)."""
        data = self.config.data
        if not self._floats:
            return self.describe_decoded([decode(one, data.sixteen_bit) for one in encoded], modality)
        from hicmd_tf.data.pictures import fitted, normalise

        sized = (fitted(one, data.height, data.width, data.sixteen_bit) for one in encoded)
        return self._run(np.stack([normalise(picture) for picture in sized]), modality)

    def describe_decoded(self, pictures: Sequence[Array], modality: Modality) -> Array:
        """The same of a few decoded pictures, uint8 (H, W, 3) of any sizes; not of a model that takes floats."""
        return _by_size(pictures, self.metadata, lambda some: self._run(some, modality))

    def _run(self, pictures: Array, modality: Modality) -> Array:
        session = self._sessions[modality]
        return session.run([OUTPUT], {session.get_inputs()[0].name: pictures})[0]


def _by_size(pictures: Sequence[Array], metadata: Metadata, describe: Callable[[Array], Array]) -> Array:
    """Descriptors (B, E) of pictures, those of one size at a time."""
    found = np.empty((len(pictures), metadata["descriptor"]["length"]), np.float32)
    for shape in {picture.shape for picture in pictures}:
        rows = [row for row, picture in enumerate(pictures) if picture.shape == shape]
        found[rows] = describe(np.stack([pictures[row] for row in rows]))
    return found


Artefact = SavedModel | OnnxModel


def session(file: Path, threads: int = 0, device: str = "cpu") -> Any:
    """An onnxruntime session.

    Args:
        file: of the model.
        threads: 0: as many as cores.
        device: cpu, cuda, or empty: on a GPU where there is one.

    Raises:
        UserError: when the file is missing or damaged, or there is no such device.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors; the others are notes to its authors
    wanted = device != "cpu" and CUDA in onnxruntime.get_available_providers()
    try:
        found = onnxruntime.InferenceSession(str(file), options, providers=[*[CUDA] * wanted, "CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base
        raise _unloadable(file, error) from error
    if device == "cuda" and CUDA not in found.get_providers():
        raise UserError("onnxruntime sees no GPU: pip install onnxruntime-gpu, or leave --device cuda out")
    return found


def _unloadable(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} can't be loaded ({' '.join(str(error).split())[:150]}): export it again")


def onnx_file(modality: Modality, precision: str, floats: bool = False) -> str:
    """The name of one file: visible.onnx, infrared_int8.onnx, visible_floats.onnx .."""
    return f"{modality}{'_floats' if floats else ''}{PRECISIONS[precision]}.onnx"


def versions(folder: Path) -> dict[int, Path]:
    """The numbered versions of a SavedModel in a folder, ascending."""
    names = [child.name for child in folder.iterdir() if child.name.isdecimal()] if folder.is_dir() else []
    return {int(name): folder / name for name in sorted(names, key=int)}


def held(path: Path) -> list[Callable[[], Artefact]]:
    """Functions that open a folder's artefacts: a SavedModel (or the newest of its numbered versions), or ONNX files.

    Raises UserError when it holds neither, before anything is loaded.
    """
    if (path / "saved_model.pb").is_file():
        return [partial(SavedModel, path)]
    if numbered := versions(path):
        return [partial(SavedModel, numbered[max(numbered)])]
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
            for start in range(0, len(rows), BATCH):
                chosen = rows[start : start + BATCH]
                found[chosen] = artefact.describe([samples.encoded[row] for row in chosen.tolist()], modality)
                bar.update(len(chosen))
    return found
