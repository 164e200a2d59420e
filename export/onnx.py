"""The descriptor branch of a run as ONNX files, which need onnxruntime alone; docs/export.md says which."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tf2onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from tqdm import tqdm

from hicmd_tf.config import with_data
from hicmd_tf.data.batches import evaluation_batches
from hicmd_tf.data.datasets import load
from hicmd_tf.data.pictures import DEVIATION, MEAN
from hicmd_tf.errors import UserError
from hicmd_tf.export.artefacts import OUTPUT, PRECISIONS, onnx_file
from hicmd_tf.export.branch import DescriptorBranch, Source, source_of
from hicmd_tf.export.check import Row, check
from hicmd_tf.export.metadata import FILE, metadata
from hicmd_tf.files import making_folder, write_json
from hicmd_tf.notation import MODALITIES, Modality

Array = np.ndarray[Any, Any]

OPSET = 18  # the highest that tf2onnx 1.17 converts correctly; the lowest whose Resize can antialias
IR_VERSION = 10  # which onnxruntime reads from 1.18 on
BATCH = "batch"
CALIBRATION_BATCH = 8
# What stays in 8 bits between two convolutions; norms, means and the descriptor itself stay in float32.
OPERATORS = ["Conv", "Add", "Relu", "Pad", "MaxPool"]


def export(options: argparse.Namespace) -> list[Row]:
    """Exports, compares, puts in place. options: of `hicmd export onnx`. Returns the comparison."""
    with making_folder(options.out) as partial:
        source = source_of(options.run)
        save(source, partial, options)
        return check(source, [partial], options)


def save(source: Source, folder: Path, options: argparse.Namespace) -> None:
    """Writes all files into an empty folder."""
    described = metadata(source, options.licence)
    precisions = [p for p in PRECISIONS if p in options.precisions]
    original = folder / "original"
    with tqdm(total=len(MODALITIES) * (1 + len(precisions)), desc="converting", unit="graph", leave=False) as bar:
        for modality in MODALITIES:
            exact = floats_graph(source.branch, modality)
            onnx.save(exact, original)
            bar.update()
            for precision in precisions:
                graph = exact if precision == "fp32" else quantised(original, calibration(source, modality, options))
                _write(pictures_graph(graph), folder / onnx_file(modality, precision), described, modality)
                if options.floats:
                    _write(graph, folder / onnx_file(modality, precision, floats=True), described, modality)
                bar.update()
    original.unlink()
    write_json(folder / FILE, described)


def calibration(source: Source, modality: Modality, options: argparse.Namespace) -> Iterator[Array]:
    """Batches of normalised training pictures of a modality, evenly spread, as many as the options say."""
    config = with_data(source.config, options.data, options.source, options.trial)
    samples = load(config.data).train.of(modality)
    if not len(samples):
        raise UserError(f"data.name {config.data.name} has no {modality} training pictures: expected some")
    rows = np.linspace(0, len(samples) - 1, min(options.calibration, len(samples))).round().astype(np.int64)
    return evaluation_batches(samples.select(rows), source.branch.height, source.branch.width, CALIBRATION_BATCH)


def _write(model: onnx.ModelProto, file: Path, described: dict[str, Any], modality: Modality) -> None:
    model.producer_name, model.producer_version = described["made_by"].split()
    model.doc_string = f"descriptors of {modality} pictures"
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in described.items()}
    helper.set_model_props(model, {**texts, "modality": modality})
    check_graph(model)
    onnx.save(model, file)


def floats_graph(branch: DescriptorBranch, modality: Modality) -> onnx.ModelProto:
    """normalised float32 (batch, height, width, 3) -> descriptors float32 (batch, E)."""
    function = branch.floats(modality)
    model, _ = tf2onnx.convert.from_function(function, input_signature=function.input_signature, opset=OPSET)
    model.ir_version = IR_VERSION
    model.graph.name = f"hicmd_{modality}"
    shape = (BATCH, branch.height, branch.width, 3)
    _declare(model, helper.make_tensor_value_info("normalised", TensorProto.FLOAT, shape), branch.length)
    return model


def pictures_graph(floats: onnx.ModelProto) -> onnx.ModelProto:
    """The same from uint8 pictures (batch, any height, any width, 3) on: resized and normalised in front.

    Resize computes what `pictures.resizing.resize` does: cubic, a = -0.5, wider where it shrinks, borders renormalised.
    """
    model = onnx.ModelProto()
    model.CopyFrom(floats)
    (given,) = model.graph.input
    _, height, width, _ = (d.dim_value for d in given.type.tensor_type.shape.dim)
    constants = {
        "picture_size": np.array([height, width], np.int64),
        "black": np.float32(0),
        "white": np.float32(255),
        "scale": 1 / (255 * DEVIATION),
        "shift": -MEAN / DEVIATION,
    }
    steps = [
        helper.make_node("Cast", ["pictures"], ["grey_levels"], to=TensorProto.FLOAT),
        helper.make_node(
            "Resize",
            ["grey_levels", "", "", "picture_size"],
            ["resized"],
            axes=[1, 2],
            mode="cubic",
            cubic_coeff_a=-0.5,
            coordinate_transformation_mode="half_pixel",
            antialias=1,
            exclude_outside=1,
        ),
        helper.make_node("Round", ["resized"], ["rounded"]),
        helper.make_node("Clip", ["rounded", "black", "white"], ["clipped"]),
        helper.make_node("Mul", ["clipped", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], [given.name]),
    ]
    nodes = [*steps, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items())
    pictures = helper.make_tensor_value_info("pictures", TensorProto.UINT8, (BATCH, "height", "width", 3))
    _declare(model, pictures, model.graph.output[0].type.tensor_type.shape.dim[1].dim_value)
    return model


def _declare(model: onnx.ModelProto, given: Any, length: int) -> None:
    """Input and output with named dynamic axes; the shapes between are left to be inferred."""
    del model.graph.input[:], model.graph.output[:], model.graph.value_info[:]
    model.graph.input.append(given)
    model.graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, (BATCH, length)))


def check_graph(model: onnx.ModelProto) -> None:
    """Raises onnx's error when a graph is invalid, or its shapes can't be inferred from its input's on."""
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)


def quantised(file: Path, pictures: Iterator[Array]) -> onnx.ModelProto:
    """An ONNX file (floats in) with 8-bit convolutions, per channel.

    pictures: batches of normalised training pictures (b, H, W, 3), by whose extremes the activations' ranges are set.
    """

    class Pictures(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches = pictures

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"normalised": batch}

    target = file.with_suffix(".quantised")
    quant_pre_process(str(file), str(target), skip_symbolic_shape=True)
    quantize_static(
        str(target),
        str(target),
        Pictures(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=OPERATORS,
        nodes_to_exclude=_inside_norms(onnx.load(target)),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )
    model = onnx.load(target)
    target.unlink()
    return model


def _inside_norms(model: onnx.ModelProto) -> list[str]:
    """Additions of a constant, such as epsilon to a variance: 8 bits would ruin them. Sums of two maps remain."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [node.name for node in model.graph.node if node.op_type == "Add" and constants.intersection(node.input)]
