"""One version of a SavedModel, with what it takes and gives."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from hicmd_tf.errors import UserError
from hicmd_tf.export.artefacts import UNREADABLE
from hicmd_tf.export.serving.failures import Failure, Kind, told

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]

DEFAULT = "serving_default"
WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"


class Spec(NamedTuple):
    """An input or output: its type, and its shape with None where any length goes."""

    dtype: tf.DType
    shape: tuple[int | None, ...]


class Servable:
    """A version of a model: loaded, and asked by signature.

    name: what requests call the model. version: its number.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.version, self.folder = name, int(folder.name), folder
        try:
            self._model = tf.saved_model.load(str(folder))
            self.signature_defs = _signature_defs(folder)
        except UNREADABLE as error:
            raise UserError(f"{folder} can't be loaded as a SavedModel ({told(error)}): export it again") from error
        self._signatures = dict(self._model.signatures)
        if not self._signatures:
            raise UserError(f"{folder} has no signatures: export it with hicmd export saved-model")
        self.inputs = {
            name: {key: _spec(value) for key, value in graph.structured_input_signature[1].items()}
            for name, graph in self._signatures.items()
        }

    def specs(self, signature: str) -> dict[str, Spec]:
        """The inputs of a signature. Raises Failure when there is none of that name."""
        if signature not in self.inputs:
            known = ", ".join(sorted(self.inputs))
            raise Failure(Kind.INVALID, f"the model has no signature {signature!r}, expected one of {known}")
        return self.inputs[signature]

    def check(self, signature: str, inputs: Arrays) -> None:
        """Raises Failure when inputs aren't those of the signature, by name, type and shape."""
        specs = self.specs(signature)
        missing, unknown = sorted(specs.keys() - inputs.keys()), sorted(inputs.keys() - specs.keys())
        if missing or unknown:
            raise Failure(
                Kind.INVALID,
                f"signature {signature!r} takes {', '.join(sorted(specs))}"
                + (f"; missing: {', '.join(missing)}" if missing else "")
                + (f"; unknown: {', '.join(map(str, unknown))}" if unknown else ""),
            )
        for name, value in inputs.items():
            _check_array(name, value, specs[name])
        counts = {len(value) for value in inputs.values() if value.ndim}
        if len(counts) > 1:
            raise Failure(Kind.INVALID, f"inputs have {sorted(counts)} rows, expected equally many in each")

    def run(self, signature: str, inputs: Arrays) -> Arrays:
        """Outputs by name. Raises Failure when the graph refuses the inputs."""
        try:
            found = self._signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
        except tf.errors.InvalidArgumentError as error:
            raise Failure(Kind.INVALID, told(error)) from error
        except tf.errors.ResourceExhaustedError as error:
            raise Failure(Kind.BUSY, told(error)) from error
        except tf.errors.OpError as error:
            raise Failure(Kind.INTERNAL, told(error)) from error
        return {name: value.numpy() for name, value in found.items()}

    def batchable(self, signature: str) -> bool:
        """Whether requests may be joined row by row."""
        return all(spec.shape and spec.shape[0] is None for spec in self.inputs[signature].values())

    def warm_up(self) -> int:
        """Answers the requests that the model brings along, so that the first user need not wait; says how many.

        Raises UserError when they are no requests that this model answers.
        """
        file = self.folder / WARM_UP
        if not file.is_file():
            return 0
        from google.protobuf.message import DecodeError

        count = 0
        try:
            for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
                self._answer(record)
                count += 1
        except (tf.errors.OpError, DecodeError, Failure, TypeError, ValueError) as error:
            raise UserError(f"{file} holds other requests than the model answers ({told(error)}): delete it") from error
        return count

    def _answer(self, record: bytes) -> None:
        from tensorflow_serving.apis import prediction_log_pb2

        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        signature = request.model_spec.signature_name or DEFAULT
        self.check(signature, inputs)
        self.run(signature, inputs)


def newest_version(base: Path, version: int | None = None) -> Path:
    """The folder of the newest numbered version, or of the one asked for. Raises UserError when there is none."""
    numbers = [child.name for child in base.iterdir() if child.name.isdecimal()] if base.is_dir() else []
    if not numbers:
        raise UserError(
            f"{base} has no numbered versions of a model: expected what hicmd export saved-model makes with --out"
        )
    chosen = max(numbers, key=int) if version is None else str(version)
    if chosen not in numbers:
        raise UserError(f"{base} has no version {chosen}, expected one of {', '.join(sorted(numbers, key=int))}")
    return base / chosen


def _spec(value: Any) -> Spec:
    return Spec(value.dtype, tuple(value.shape))


def _check_array(name: str, value: Array, spec: Spec) -> None:
    dtype = tf.as_dtype(value.dtype)
    fits = len(value.shape) == len(spec.shape) and all(
        want in (None, have) for want, have in zip(spec.shape, value.shape, strict=True)
    )
    if dtype != spec.dtype or not fits:
        shape = "(" + ", ".join("any" if length is None else str(length) for length in spec.shape) + ")"
        raise Failure(
            Kind.INVALID,
            f"{name} is {dtype.name} {value.shape}, expected {spec.dtype.name} {shape}",
        )


def _signature_defs(folder: Path) -> Any:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    return SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs[0].signature_def
