"""The descriptor branch of a run as a SavedModel for TF Serving.

Makes DIR/1, or the next number: TF Serving goes over to it by itself. Signatures: visible, infrared (pictures),
serving_default (pictures and modality), each with a twin _bytes that takes encoded JPEG or PNG files. The result is
compared with the run before it appears (see check.py).
"""

import argparse
import os
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from hicmd_tf.errors import UserError
from hicmd_tf.export.branch import WARM_UP_ROWS
from hicmd_tf.export.check import Row, check
from hicmd_tf.export.metadata import FILE, metadata
from hicmd_tf.export.source import Source, open_run
from hicmd_tf.files import making_folder, write_json
from hicmd_tf.notation import MODALITIES

NAME = "hicmd"  # what requests call it, unless the server has another name for it


def export(options: argparse.Namespace) -> tuple[Path, list[str], list[Row]]:
    """Exports, compares, puts in place. options: of `hicmd export saved-model`. Returns the folder, the signatures and
    the comparison."""
    target = options.out / str(_next_version(options.out))
    with making_folder(target) as partial:
        source = open_run(options.run)
        save(source, partial, options.licence)
        rows = check(source, [partial], options)
    return target, list(source.branch.signatures()), rows


def save(source: Source, folder: Path, licence: str = "") -> None:
    """Writes graphs, weights, metadata, and requests to warm up with into an empty folder."""
    save_graphs(source.branch.signatures(), folder)
    extra = folder / "assets.extra"
    write_json(extra / FILE, metadata(source, licence))
    _write_warm_up(extra / "tf_serving_warmup_requests", source.config.data.height, source.config.data.width)


def save_graphs(signatures: dict[str, Any], folder: Path) -> None:
    """Writes tf.functions with the variables that they use and no others."""
    graphs = {name: graph.get_concrete_function() for name, graph in signatures.items()}
    kept = tf.Module(name=NAME)
    kept.weights = list({v.ref(): v for graph in graphs.values() for v in graph.variables}.values())
    try:
        tf.saved_model.save(kept, str(folder), signatures=graphs)
    except (tf.errors.OpError, OSError) as error:
        raise UserError(f"{folder}: the model can't be written ({' '.join(str(error).split())[:200]})") from error


def _write_warm_up(file: Path, height: int, width: int) -> None:
    """Requests that TF Serving answers to itself before it opens, so that the first user need not wait."""
    grey = tf.fill((height, width, 3), tf.constant(128, tf.uint8))
    with tf.io.TFRecordWriter(os.fspath(file)) as writer:
        for rows in WARM_UP_ROWS:
            inputs = {"": tf.stack([grey] * rows), "_bytes": tf.stack([tf.io.encode_png(grey)] * rows)}
            for suffix, pictures in inputs.items():
                named = {"picture_bytes" if suffix else "pictures": pictures}
                for modality in MODALITIES:
                    writer.write(_warm_up(f"{modality}{suffix}", named))
                mixed = tf.constant([MODALITIES[row % 2] for row in range(rows)])
                writer.write(_warm_up(f"serving_default{suffix}", {**named, "modality": mixed}))


def _warm_up(signature: str, inputs: dict[str, Any]) -> bytes:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = NAME
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    return bytes(log.SerializeToString())


def _next_version(out: Path) -> int:
    """One more than the highest version in a folder. Raises UserError when it holds anything but versions."""
    if not out.exists():
        return 1
    names = [path.name for path in out.iterdir() if not path.name.startswith(".")] if out.is_dir() else [out.name]
    strange = [name for name in names if not name.isdecimal()]
    if strange or not out.is_dir():
        raise UserError(f"{out} holds {strange[0]}, expected numbered versions of a SavedModel: name another folder")
    return max(map(int, names), default=0) + 1
