"""The descriptor branch of a run as a SavedModel for TF Serving; docs/export.md has its signatures."""

import argparse
import os
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from hicmd_tf.errors import UserError, waiting
from hicmd_tf.export.artefacts import versions
from hicmd_tf.export.branch import Source, source_of, warm_up
from hicmd_tf.export.check import Row, check
from hicmd_tf.export.metadata import FILE, metadata
from hicmd_tf.files import making_folder, write_json

NAME = "hicmd"  # what requests call it, unless the server has another name for it


def export(options: argparse.Namespace) -> tuple[Path, list[str], list[Row]]:
    """Exports, compares, puts in place. options: of `hicmd export saved-model`. Returns the folder, the signatures and
    the comparison."""
    target = options.out / str(_next_version(options.out))
    with making_folder(target) as partial:
        source = source_of(options.run)
        waiting("making the graphs")
        save(source, partial, options.licence)
        rows = check(source, [partial], options)
    return target, list(source.branch.signatures()), rows


def save(source: Source, folder: Path, licence: str = "") -> None:
    """Writes graphs, weights, metadata, and requests to warm up with into an empty folder."""
    save_graphs(source.branch.signatures(), folder)
    extra = folder / "assets.extra"
    write_json(extra / FILE, metadata(source, licence))
    with tf.io.TFRecordWriter(os.fspath(extra / "tf_serving_warmup_requests")) as writer:
        for signature, inputs in warm_up(source.branch.height, source.branch.width):
            writer.write(_warm_up(signature, inputs))


def save_graphs(signatures: dict[str, Any], folder: Path) -> None:
    """Writes tf.functions with the variables that they use and no others."""
    graphs = {name: graph.get_concrete_function() for name, graph in signatures.items()}
    kept = tf.Module(name=NAME)
    kept.weights = list({v.ref(): v for graph in graphs.values() for v in graph.variables}.values())
    tf.saved_model.save(kept, str(folder), signatures=graphs)


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
    names = [path.name for path in out.iterdir() if not path.name.startswith(".")] if out.is_dir() else []
    strange = [out.name] if out.is_file() else [name for name in names if not name.isdecimal()]
    if strange:
        raise UserError(f"{out} holds {strange[0]}, expected numbered versions of a SavedModel: name another folder")
    return max(versions(out), default=0) + 1
