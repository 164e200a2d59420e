"""ONNX graphs of the descriptor branch: converted, named, and with the preparation of pictures in front."""

from typing import Any

import numpy as np
import onnx
import tf2onnx
from onnx import TensorProto, helper, numpy_helper

from hicmd_tf.data.pictures import DEVIATION, MEAN
from hicmd_tf.export.branch import OUTPUT, DescriptorBranch
from hicmd_tf.notation import Modality

OPSET = 18  # the highest that tf2onnx 1.17 converts correctly; the lowest whose Resize can antialias
IR_VERSION = 10  # which onnxruntime reads from 1.18 on
BATCH = "batch"


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

    Resize computes what `data.pictures.resize` does: cubic, a = -0.5, wider where it shrinks, borders renormalised.
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
