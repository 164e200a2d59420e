"""Who describes: a run's model, or an exported one, as a function of decoded pictures.

A `Model` says which, in words that go to another machine; opening it is done where it computes, once in each process.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from hicmd_tf.config import Config, with_values
from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES, Modality
from hicmd_tf.runs.trained import Trained

Array = np.ndarray[Any, Any]
Describe = Callable[[Sequence[Array], Modality], Array]
"""A few decoded pictures, uint8 (H, W, 3) of any sizes, of one modality -> descriptors (B, E)."""

BATCH = 32  # pictures that are described at once
PIXELS = 1 << 24  # in a batch: fewer pictures where they are large


class Opened(NamedTuple):
    """A model that describes. digest: SHA-256 of its weights. length: E of its descriptors."""

    describe: Describe
    digest: str
    length: int


class Model(NamedTuple):
    """Which model describes, and how.

    Args:
        kind: a run, or what hicmd export made of one.
        folder: its place, by an absolute path.
        device: where it computes; empty: on a GPU where there is one.
        threads: that compute; 0: a run's own, or as many as cores.
    """

    kind: Literal["run", "exported"]
    folder: str
    device: Literal["", "cpu", "cuda"] = ""
    threads: int = 0

    def read(self) -> tuple[Config, Trained | None]:
        """Its configuration, and whom it was trained on. Raises UserError where the folder holds no such model."""
        if self.kind == "run":
            from hicmd_tf.runs.opened import OpenedRun

            run = OpenedRun(self.folder)
            return run.config, run.trained_on
        from hicmd_tf.export.metadata import read_metadata, trained_on

        found, config = read_metadata(_metadata(Path(self.folder)))
        return config, trained_on(found)

    def about(self) -> tuple[str, int]:
        """SHA-256 of its weights, and E; a run is opened for it."""
        if self.kind == "run":
            opened = self.open()
            return opened.digest, opened.length
        from hicmd_tf.export.metadata import read_metadata

        found, _ = read_metadata(_metadata(Path(self.folder)))
        return found["weights_sha256"], found["descriptor"]["length"]

    def open(self) -> Opened:
        """The model, ready to compute. Raises UserError where it is damaged, or there is no such device."""
        if self.threads:
            os.environ.update(TF_NUM_INTRAOP_THREADS=str(self.threads), TF_NUM_INTEROP_THREADS=str(self.threads))
        return self._run() if self.kind == "run" else self._exported()

    def _run(self) -> Opened:
        from hicmd_tf.data.pictures import normalise
        from hicmd_tf.engines.chosen import describing
        from hicmd_tf.pictures.resizing import resized
        from hicmd_tf.runs.opened import OpenedRun

        run = OpenedRun(self.folder)
        if self.threads:
            threads = dict.fromkeys(("training.intra_op_threads", "training.inter_op_threads"), self.threads)
            run = run.having(config=with_values(run.config, threads))
        self._refuse_device()
        model = run.model
        compute, size = describing(model.descriptor), (model.height, model.width)

        def describe(pictures: Sequence[Array], modality: Modality) -> Array:
            fitted = [one if one.shape[:2] == size else resized(one, *size) for one in pictures]
            return compute(modality, normalise(np.stack(fitted)))

        return Opened(describe, model.descriptor.digest(), model.descriptor.length)

    def _exported(self) -> Opened:
        from hicmd_tf.export.artefacts import OnnxModel, SavedModel

        folder = Path(self.folder)
        metadata = _metadata(folder)
        model: SavedModel | OnnxModel
        if metadata.parent == folder:
            model = OnnxModel(folder, "fp32", threads=self.threads, device=self.device)
        else:
            self._refuse_device()
            model = SavedModel(metadata.parents[1])
        found = model.metadata
        return Opened(model.describe_decoded, found["weights_sha256"], found["descriptor"]["length"])

    def _refuse_device(self) -> None:
        """TensorFlow computes on a GPU where it sees one. Raises UserError where it is to and can't."""
        if self.device == "cpu":
            os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        if self.device != "cuda":
            return
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            raise UserError("TensorFlow sees no GPU: pip install 'hicmd-tf[cuda]', or leave --device cuda out")


def _metadata(folder: Path) -> Path:
    """The file that says what an exported model is. Raises UserError where a folder holds none that describes as the
    run does."""
    from hicmd_tf.export.artefacts import held, onnx_file, versions
    from hicmd_tf.export.metadata import FILE

    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: name what hicmd export made with --model")
    held(folder)
    numbered = versions(folder)
    if (folder / "saved_model.pb").is_file() or numbered:
        newest = numbered[max(numbered)] if numbered else folder
        return newest / "assets.extra" / FILE
    if any(not (folder / onnx_file(m, "fp32")).is_file() for m in MODALITIES):
        raise UserError(
            f"{folder} has not both {' and '.join(onnx_file(m, 'fp32') for m in MODALITIES)}: export them with "
            "hicmd export onnx --precisions fp32"
        )
    return folder / FILE


def described(describe: Describe, pictures: Iterable[tuple[int, Modality, Array]]) -> Iterator[tuple[list[int], Array]]:
    """Rows and their descriptors, in batches of one modality, as they come to be full."""
    waiting: dict[Modality, list[tuple[int, Array]]] = {m: [] for m in MODALITIES}
    for row, modality, picture in pictures:
        batch = waiting[modality]
        batch.append((row, picture))
        if len(batch) == BATCH or sum(one.size for _, one in batch) > PIXELS:
            yield _batch(describe, modality, batch)
    for modality, batch in waiting.items():
        if batch:
            yield _batch(describe, modality, batch)


def _batch(describe: Describe, modality: Modality, batch: list[tuple[int, Array]]) -> tuple[list[int], Array]:
    rows = [row for row, _ in batch]
    found = np.asarray(describe([picture for _, picture in batch], modality), np.float32)
    batch.clear()
    return rows, found
