"""ONNX in 8 bits: weights and activations of convolutions quantised once, by what training pictures make of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import tensorflow as tf

# What stays in 8 bits between two convolutions; norms, means and the descriptor itself stay in float32.
OPERATORS = ["Conv", "Add", "Relu", "Pad", "MaxPool"]


def quantised(file: Path, pictures: Iterator[tf.Tensor]) -> onnx.ModelProto:
    """An ONNX file (floats in) with 8-bit convolutions, per channel.

    pictures: batches of normalised training pictures (b, H, W, 3), by whose extremes the activations' ranges are set.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Pictures(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches = pictures

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"normalised": batch.numpy()}

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
