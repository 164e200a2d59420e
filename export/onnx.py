"""The descriptor branch of a run as ONNX files, which need onnxruntime alone.

Makes DIR/visible.onnx and DIR/infrared.onnx, the same with 8-bit convolutions as visible_int8.onnx and
infrared_int8.onnx, and metadata.json. Input: pictures, uint8 (batch, height, width, 3) RGB of any one size, which are
resized and normalised inside. Output: descriptors, float32 (batch, E) of length 1. With --floats also files that take
pictures already resized and normalised: normalised, float32 (batch, H, W, 3). The result is compared with the run
before it appears (see check.py).
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicmd_tf.errors import require

if TYPE_CHECKING:
    from hicmd_tf.export.check import Row

CALIBRATION_BATCH = 8


def export(options: argparse.Namespace) -> "list[Row]":
    """Exports, compares, puts in place. options: of `hicmd export onnx`. Returns the comparison."""
    require("onnx", "onnxruntime", "tf2onnx")
    from hicmd_tf.export.check import check
    from hicmd_tf.export.source import open_run
    from hicmd_tf.files import making_folder

    with making_folder(options.out) as partial:
        source = open_run(options.run)
        save(source, partial, options)
        return check(source, [partial], options)


def save(source: Any, folder: Path, options: argparse.Namespace) -> None:
    """Writes all files of a `source.Source` into an empty folder."""
    from tqdm import tqdm

    from hicmd_tf.export.artefacts import PRECISIONS
    from hicmd_tf.export.metadata import FILE, metadata
    from hicmd_tf.files import write_json
    from hicmd_tf.notation import MODALITIES

    described = metadata(source, options.licence)
    precisions = [p for p in PRECISIONS if p in options.precisions]
    with tqdm(total=len(MODALITIES) * (1 + len(precisions)), desc="converting", unit="graph", leave=False) as bar:
        for modality in MODALITIES:
            _save_modality(source, folder, modality, precisions, options, described, bar)
    write_json(folder / FILE, described)


def _save_modality(
    source: Any,
    folder: Path,
    modality: Any,
    precisions: Sequence[str],
    options: argparse.Namespace,
    described: dict[str, Any],
    bar: Any,
) -> None:
    import onnx

    from hicmd_tf.export.artefacts import onnx_file
    from hicmd_tf.export.graphs import floats_graph, pictures_graph
    from hicmd_tf.export.quantise import quantised

    exact = floats_graph(source.branch, modality)
    bar.update()
    original = folder / "original"
    onnx.save(exact, original)
    for precision in precisions:
        graph = exact if precision == "fp32" else quantised(original, _calibration(source, modality, options))
        _write(pictures_graph(graph), folder / onnx_file(modality, precision), described, modality)
        if options.floats:
            _write(graph, folder / onnx_file(modality, precision, floats=True), described, modality)
        bar.update()
    original.unlink()


def _calibration(source: Any, modality: Any, options: argparse.Namespace) -> Any:
    from hicmd_tf.config import with_data
    from hicmd_tf.data.batches import evaluation_batches
    from hicmd_tf.export.source import calibration

    config = with_data(source.config, options.data, options.source, options.trial)
    samples = calibration(config, options.calibration).of(modality)
    return evaluation_batches(samples, source.branch.height, source.branch.width, CALIBRATION_BATCH)


def _write(model: Any, file: Path, described: dict[str, Any], modality: str) -> None:
    import onnx

    from hicmd_tf.export.graphs import check_graph

    model.producer_name, model.producer_version = described["made_by"].split()
    model.doc_string = f"Hi-CMD's descriptors of {modality} pictures"
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in described.items()}
    onnx.helper.set_model_props(model, {**texts, "modality": modality})
    check_graph(model)
    onnx.save(model, file)
