"""JSON bodies of TF Serving's REST interface to arrays, and arrays to answers (imports no TensorFlow)."""

import base64
import binascii
import json
from typing import Any, Literal, NamedTuple

import numpy as np

from hicmd_tf.export.serving.failures import Failure, Kind

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]
Layout = Literal["instances", "inputs"]


class Asked(NamedTuple):
    """layout: instances (row by row, answered by predictions) or inputs (column by column, answered by outputs)."""

    signature: str
    layout: Layout
    values: Any


def parse(body: bytes) -> Asked:
    """What a body asks for, not yet arrays. Raises Failure for anything but such a request."""
    try:
        found = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Failure(Kind.INVALID, f"the body is not JSON ({str(error)[:100]})") from error
    if not isinstance(found, dict):
        raise Failure(Kind.INVALID, "the body is no JSON object, expected one with instances or inputs")
    layouts: list[Layout] = [layout for layout in ("instances", "inputs") if layout in found]
    if len(layouts) != 1:
        raise Failure(Kind.INVALID, "expected either instances or inputs in the body")
    signature = found.get("signature_name") or "serving_default"
    if not isinstance(signature, str):
        raise Failure(Kind.INVALID, "signature_name is no text")
    return Asked(signature, layouts[0], found[layouts[0]])


def arrays(asked: Asked, dtypes: dict[str, np.dtype[Any]]) -> Arrays:
    """The inputs of a signature by name. dtypes: of each input; object for text. Raises Failure."""
    columns = _columns(asked, list(dtypes))
    unknown = sorted(columns.keys() - dtypes.keys())
    if unknown:
        raise Failure(Kind.INVALID, f"there is no input {unknown[0]!r}, expected {', '.join(dtypes)}")
    return {name: _array(name, values, dtypes[name]) for name, values in columns.items()}


def _columns(asked: Asked, names: list[str]) -> dict[str, Any]:
    values = asked.values
    if asked.layout == "inputs":
        if isinstance(values, dict) and not _is_b64(values):
            return values
        return {_only(names): values}
    if not isinstance(values, list) or not values:
        raise Failure(Kind.INVALID, "instances is no list with at least one row")
    if not (isinstance(values[0], dict) and not _is_b64(values[0])):
        return {_only(names): values}
    keys = values[0].keys()
    for row, instance in enumerate(values):
        if not isinstance(instance, dict) or instance.keys() != keys:
            raise Failure(Kind.INVALID, f"instances[{row}] has other inputs than instances[0], expected equal ones")
    return {key: [instance[key] for instance in values] for key in keys}


def _only(names: list[str]) -> str:
    if len(names) != 1:
        raise Failure(Kind.INVALID, f"the signature takes {', '.join(names)}: name the inputs")
    return names[0]


def _array(name: str, values: Any, dtype: np.dtype[Any]) -> Array:
    if dtype.kind == "O":
        return _texts(name, values)
    try:
        found = np.array(values)
    except (ValueError, OverflowError) as error:
        raise Failure(Kind.INVALID, f"{name} is no array: its parts differ in length") from error
    if found.size == 0:
        return found.astype(dtype)
    kinds = "iu" if dtype.kind in "iu" else "iuf" if dtype.kind == "f" else "b"
    if found.dtype.kind not in kinds:
        raise Failure(Kind.INVALID, f"{name} holds other values than {dtype} takes")
    if dtype.kind in "iu" and not (np.iinfo(dtype).min <= found.min() and found.max() <= np.iinfo(dtype).max):
        raise Failure(Kind.INVALID, f"{name} holds values beyond those of {dtype}")
    return found.astype(dtype)


def _texts(name: str, values: Any) -> Array:
    def content(value: Any) -> bytes:
        if isinstance(value, str):
            try:
                return value.encode()
            except UnicodeEncodeError as error:
                raise Failure(Kind.INVALID, f"{name} holds half a character, a surrogate alone") from error
        if _is_b64(value):
            try:
                return base64.b64decode(value["b64"], validate=True)
            except (binascii.Error, ValueError, TypeError) as error:
                raise Failure(Kind.INVALID, f"{name} is not base64 ({error})") from error
        raise Failure(Kind.INVALID, f'{name} is neither text nor {{"b64": text}}')

    if isinstance(values, list):
        found = np.empty(len(values), object)
        found[:] = [content(value) for value in values]
        return found
    return np.array(content(values), object)


def _is_b64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"}


def answer(asked: Asked, outputs: Arrays) -> dict[str, Any]:
    """predictions or outputs, as lists; a single output goes without its name. Raises Failure."""
    columns = {name: _listed(name, value) for name, value in outputs.items()}
    if asked.layout == "inputs":
        return {"outputs": next(iter(columns.values())) if len(columns) == 1 else columns}
    if len(columns) == 1:
        return {"predictions": next(iter(columns.values()))}
    rows = zip(*columns.values(), strict=True)
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}


def _listed(name: str, value: Array) -> Any:
    if value.dtype.kind == "O":
        encode = name.endswith("_bytes")
        return [{"b64": base64.b64encode(v).decode()} if encode else v.decode(errors="replace") for v in value.ravel()]
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise Failure(Kind.INTERNAL, f"{name} holds numbers that are not finite, which JSON has not")
    return value.tolist()


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")
