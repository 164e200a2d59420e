"""One version of an exported SavedModel as a server sees it: JSON in, descriptors out, mistakes in a sentence."""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from starlette.exceptions import HTTPException
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel as SavedModelFile

from hicmd_tf.export.artefacts import OUTPUT, SavedModel
from hicmd_tf.export.branch import warm_up
from hicmd_tf.pictures.bounds import LARGEST_PIXELS, BadPictureError
from hicmd_tf.pictures.decode import simple

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]

DEFAULT = "serving_default"  # the signature of a request that names none
ENCODED = "picture_bytes"
LONGEST = 300  # characters of an error
NOISE = re.compile(  # where in the graph an error fell
    r"Graph execution error:|Detected at node .*? defined at \(most recent call last\):|<stack traces unavailable>"
    r"|\[\[.*?\]\]|\[Op:.*?\]|Detected at node \S+ *",
    re.DOTALL,
)


@dataclass(frozen=True)
class Limits:
    """Limits of one request, and how requests are joined.

    Args:
        body: bytes of a request.
        rows: pictures of a request.
        pixels: of one encoded picture, read from its head before it is decoded.
        seconds: for an answer.
        batch: rows that are computed together.
        wait: seconds that a request waits for others.
        waiting: rows that may wait before further requests are refused.
    """

    body: int = 64 << 20
    rows: int = 256
    pixels: int = LARGEST_PIXELS
    seconds: float = 60.0
    batch: int = 32
    wait: float = 0.002
    waiting: int = 1024


class Request(NamedTuple):
    """by_row: asked for as instances, answered by predictions; otherwise inputs, answered by outputs."""

    signature: str
    by_row: bool
    inputs: Arrays

    @property
    def rows(self) -> int:
        """Pictures asked for."""
        return len(next(iter(self.inputs.values())))


class Servable:
    """A version of a model: loaded, and asked by signature.

    Args:
        name: what requests call the model.
        folder: of the version, named by its number. Raises UserError when it can't be loaded.
        limits: of requests.

    model: as SavedModel opens it.
    """

    def __init__(self, name: str, folder: Path, limits: Limits) -> None:
        self.name, self.version, self._limits = name, int(folder.name), limits
        self.model = SavedModel(folder)
        self._definitions = SavedModelFile.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs[0]

    def request(self, body: bytes) -> Request:
        """The checked request of a JSON body. Raises HTTPException."""
        specs = {name: graph.structured_input_signature[1] for name, graph in self.model.signatures.items()}
        return request_of(body, specs, self._limits)

    def run(self, signature: str, inputs: Arrays) -> Array:
        """Descriptors (B, E). Raises HTTPException when the graph refuses the inputs."""
        try:
            answer = self.model.signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
        except tf.errors.OpError as error:
            status = {tf.errors.InvalidArgumentError: 400, tf.errors.ResourceExhaustedError: 503}.get(type(error), 500)
            words = " ".join(NOISE.sub(" ", str(error)).split())[:LONGEST]
            raise HTTPException(status, words or type(error).__name__) from error
        found: Array = answer[OUTPUT].numpy()
        if not np.isfinite(found).all():
            raise HTTPException(500, f"{OUTPUT} hold non-finite numbers, which JSON has not")
        return found

    def warm_up(self) -> None:
        """Answers every signature once for few and for many pictures, so that the first user need not wait."""
        data = self.model.config.data
        for signature, inputs in warm_up(data.height, data.width):
            self.run(signature, inputs)

    def metadata(self) -> dict[str, Any]:
        """Signatures, as TensorFlow Serving's REST interface has them."""
        signatures = {
            name: MessageToDict(
                self._definitions.signature_def[name],
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
            for name in self.model.signatures
        }
        model = {"name": self.name, "signature_name": "", "version": str(self.version)}
        return {"model_spec": model, "metadata": {"signature_def": {"signature_def": signatures}}}


def request_of(body: bytes, signatures: dict[str, dict[str, tf.TensorSpec]], limits: Limits) -> Request:
    """The checked request of a JSON body, its pictures as JPEG or PNG. signatures: the inputs of each, by name.

    Raises HTTPException.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"the body is not JSON ({str(error)[:100]})") from error
    layouts = [name for name in ("instances", "inputs") if isinstance(found, dict) and name in found]
    if len(layouts) != 1:
        raise HTTPException(400, "expected a JSON object with either instances or inputs as the body")
    signature = found.get("signature_name") or DEFAULT
    if not isinstance(signature, str) or signature not in signatures:
        known = ", ".join(sorted(signatures))
        raise HTTPException(400, f"the model has no signature {str(signature)[:60]!r}, expected one of {known}")
    specs, by_row = signatures[signature], layouts == ["instances"]
    columns = (_columns_of_rows if by_row else _named)(found[layouts[0]], list(specs))
    if columns.keys() != specs.keys():
        given = ", ".join(map(str, columns))[:100]
        raise HTTPException(
            400, f"signature {signature!r} takes {', '.join(sorted(specs))}; given: {given or 'nothing'}"
        )
    request = Request(signature, by_row, {name: _array(name, columns[name], spec) for name, spec in specs.items()})
    rows = sorted({len(value) for value in request.inputs.values()})
    if len(rows) > 1:
        raise HTTPException(400, f"inputs have {rows} rows, expected equally many in each")
    if request.rows > limits.rows:
        raise HTTPException(413, f"{request.rows} rows in one request, expected at most {limits.rows}: ask in parts")
    if ENCODED in request.inputs:
        files = request.inputs[ENCODED]
        for row, content in enumerate(files):  # too large ones are refused by their heads
            try:
                files[row] = simple(content, limits.pixels)
            except BadPictureError as error:
                raise HTTPException(400, f"{ENCODED}[{row}] {error.told('send another one')}") from error
    return request


def _columns_of_rows(rows: Any, names: Sequence[str]) -> dict[str, Any]:
    """Rows of named inputs as one list per name; rows of a signature's only input need no name."""
    if not isinstance(rows, list) or not rows:
        raise HTTPException(400, "instances is no list with at least one row")
    if not isinstance(rows[0], dict) or _is_b64(rows[0]):
        return _named(rows, names)
    for row, instance in enumerate(rows):
        if not isinstance(instance, dict) or instance.keys() != rows[0].keys():
            raise HTTPException(400, f"instances[{row}] has other inputs than instances[0], expected equal ones")
    return {key: [instance[key] for instance in rows] for key in rows[0]}


def _named(values: Any, names: Sequence[str]) -> dict[str, Any]:
    if isinstance(values, dict) and not _is_b64(values):
        return values
    if len(names) != 1:
        raise HTTPException(400, f"the signature takes {', '.join(sorted(names))}: name the inputs")
    return {names[0]: values}


def _array(name: str, values: Any, spec: tf.TensorSpec) -> Array:
    """The values of one input, which are text or whole numbers."""
    dtype = spec.dtype.as_numpy_dtype
    if spec.dtype == tf.string:
        texts = values if isinstance(values, list) else [values]
        found = np.empty(len(texts), object)
        found[:] = [_content(name, text) for text in texts]
        return found
    try:
        found = np.array(values)
    except (ValueError, OverflowError) as error:
        raise HTTPException(400, f"{name} is no array: its parts differ in length") from error
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    if found.size and not (found.dtype.kind in "iu" and least <= found.min() and found.max() <= most):
        raise HTTPException(
            400, f"{name} holds other values than {spec.dtype.name}, whole numbers from {least} to {most}"
        )
    if not spec.shape.is_compatible_with(found.shape):
        raise HTTPException(400, f"{name} has shape {found.shape}, expected {spec.shape}")
    return found.astype(dtype)


def _content(name: str, value: Any) -> bytes:
    try:
        if _is_b64(value):
            return base64.b64decode(value["b64"], validate=True)
        if isinstance(value, str):
            return value.encode()
    except (ValueError, TypeError) as error:  # base64's and Unicode's are ValueErrors
        raise HTTPException(400, f"{name} is neither base64 nor text ({str(error)[:100]})") from error
    raise HTTPException(400, f'{name} is neither text nor {{"b64": text}}')


def _is_b64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"}
