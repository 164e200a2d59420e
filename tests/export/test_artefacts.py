"""What leaves describes as Keras does, whatever the file, and needs none of this code."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_files import ODD_FILES, drawn, encoded
from onnx import TensorProto, helper, numpy_helper

import hicmd_tf
from hicmd_tf.commands import main as hicmd
from hicmd_tf.commands.evaluate import main as evaluate
from hicmd_tf.config import load
from hicmd_tf.data.pictures import normalise
from hicmd_tf.data.samples import DataSplits, Samples
from hicmd_tf.errors import UserError
from hicmd_tf.export import check as check_module
from hicmd_tf.export.artefacts import SavedModel, open_artefacts
from hicmd_tf.export.branch import source_of
from hicmd_tf.export.check import check, compared
from hicmd_tf.export.onnx import check_graph, pictures_graph
from hicmd_tf.files import read_json
from hicmd_tf.notation import MODALITIES, Modality
from hicmd_tf.pictures.decode import decode
from hicmd_tf.pictures.resizing import resize
from hicmd_tf.runs.opened import OpenedRun

DISTANCE = 1e-5
ODD = (
    "JPEG, grey 37 x 91; JPEG, inks 37 x 91; JPEG, turned 6 >; PNG, alpha; PNG, negative palette; PNG, turned 8 <; "
    "PNG, turned by text; PNG, 16 bits, 3 channels; BMP, negative palette; WEBP, alpha; WEBP, turned 3; "
    "TIFF, turned 5; TIFF, tiff_lzw; GIF, grey"
)
PICTURES = {
    "odd size": encoded(drawn((37, 91)), "PNG"),
    "one pixel": encoded(drawn((1, 1)), "PNG"),
    "large": encoded(drawn((301, 533)), "JPEG"),
    "flat": encoded(drawn((160, 20)), "PNG"),
    "exact size": encoded(drawn((16, 32)), "PNG"),
    **{name: ODD_FILES[name] for name in ODD.split("; ")},
}


@pytest.fixture(scope="module")
def signatures(saved_model: Path) -> Iterator[dict[str, Any]]:
    loaded = tf.saved_model.load(str(saved_model))  # kept: its signatures don't keep its weights
    yield loaded.signatures


def keras_descriptors(run: Path, files: list[bytes], modality: Modality) -> np.ndarray:
    model = hicmd_tf.load(run)
    return np.concatenate([model.embed(decode(one)[None], modality) for one in files])


@pytest.mark.parametrize("modality", MODALITIES)
def test_every_kind_of_file_is_described_as_keras_does(
    smoke_run: Path, saved_model: Path, onnx_files: Path, modality: Modality
) -> None:
    files = list(PICTURES.values())
    expected = keras_descriptors(smoke_run, files, modality)
    assert len(np.unique(expected.round(3), axis=0)) > 10  # else any answer would do
    exact = [a for a in [SavedModel(saved_model), *open_artefacts(onnx_files)] if "int8" not in a.name]
    assert [a.name for a in exact] == ["SavedModel", "ONNX fp32", "ONNX fp32, floats"]
    for artefact in exact:
        _, distance = compared(expected, artefact.describe(files, modality))
        assert distance <= DISTANCE, artefact.name


def test_pictures_and_files_and_mixed_batches_agree(smoke_run: Path, signatures: dict[str, Any]) -> None:
    one_size = np.random.default_rng(0).integers(0, 256, (5, 50, 31, 3), np.uint8)
    files = tf.constant([tf.io.encode_png(picture).numpy() for picture in one_size])
    which: list[Modality] = ["infrared", "visible", "visible", "infrared", "visible"]
    model = hicmd_tf.load(smoke_run)
    expected = np.concatenate([model.embed(p[None], m) for p, m in zip(one_size, which, strict=True)])
    modality = tf.constant(which)
    mixed = signatures["serving_default"](pictures=tf.constant(one_size), modality=modality)
    mixed_files = signatures["serving_default_bytes"](picture_bytes=files, modality=modality)
    for found in (mixed, mixed_files):
        assert compared(expected, found["descriptors"])[1] <= DISTANCE
    for name in MODALITIES:
        rows = [row for row, m in enumerate(which) if m == name]
        alone = signatures[name](pictures=tf.constant(one_size[rows]))["descriptors"]
        alone_files = signatures[f"{name}_bytes"](picture_bytes=tf.gather(files, rows))["descriptors"]
        for found in (alone, alone_files):
            assert compared(expected[rows], found)[1] <= DISTANCE


@pytest.mark.parametrize(
    ("signature", "given_inputs", "said"),
    [
        ("visible", {"pictures": tf.zeros((0, 8, 8, 3), tf.uint8)}, "at least one"),
        ("visible", {"pictures": tf.zeros((1, 0, 8, 3), tf.uint8)}, "at least one"),
        ("infrared_bytes", {"picture_bytes": tf.constant([], tf.string)}, "at least one"),
        ("visible_bytes", {"picture_bytes": tf.constant([b"no picture"])}, "neither JPEG nor PNG"),
        ("visible_bytes", {"picture_bytes": tf.constant([PICTURES["large"][:900]])}, "Invalid JPEG"),
        (
            "serving_default",
            {"pictures": tf.zeros((1, 8, 8, 3), tf.uint8), "modality": tf.constant(["thermal"])},
            "modality must name visible or infrared",
        ),
        (
            "serving_default",
            {"pictures": tf.zeros((2, 8, 8, 3), tf.uint8), "modality": tf.constant(["visible"])},
            "modality must name visible or infrared once for each",
        ),
    ],
)
def test_what_cant_be_described_is_an_invalid_argument(
    signatures: dict[str, Any], signature: str, given_inputs: dict[str, tf.Tensor], said: str
) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=said):
        signatures[signature](**given_inputs)


def test_onnx_needs_numpy_and_onnxruntime_only(onnx_files: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "pictures.npy", np.random.default_rng(1).integers(0, 256, (3, 60, 33, 3), np.uint8))
    code = f"""
import sys
sys.modules.update(hicmd_tf=None, export=None, tensorflow=None, keras=None, onnx=None, tf2onnx=None, PIL=None)
import numpy, onnxruntime
session = onnxruntime.InferenceSession({str(onnx_files / "infrared.onnx")!r})
(found,) = session.run(["descriptors"], {{"pictures": numpy.load("pictures.npy")}})
print(numpy.linalg.norm(found, axis=1).tolist())
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert json.loads(ran.stdout) == pytest.approx([1, 1, 1], abs=1e-5)


def test_warm_up_requests_run(saved_model: Path, signatures: dict[str, Any]) -> None:
    from tensorflow_serving.apis import prediction_log_pb2

    file = saved_model / "assets.extra" / "tf_serving_warmup_requests"
    seen = set()
    for record in tf.data.TFRecordDataset(str(file)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
        found = signatures[request.model_spec.signature_name](**inputs)["descriptors"]
        assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
        seen.add(request.model_spec.signature_name)
    assert seen == set(signatures)


def test_the_classifier_stays_at_home(saved_model: Path) -> None:
    shapes = dict(tf.train.list_variables(str(saved_model / "variables" / "variables")))
    assert [16, 6] not in shapes.values()  # embedding x training identities


def test_metadata_tell_what_one_needs_and_no_places(smoke_run: Path, saved_model: Path, onnx_files: Path) -> None:
    told = read_json(saved_model / "assets.extra" / "metadata.json")
    assert told["descriptor"]["length"] == 16
    assert told["licence_of_weights"] == "CC0"
    assert (told["preprocessing"]["height"], told["preprocessing"]["width"]) == (32, 16)
    assert told["configuration"]["networks"] == read_json(onnx_files / "metadata.json")["configuration"]["networks"]
    text = json.dumps(told)
    assert str(smoke_run) not in text
    assert str(Path(told["configuration"]["data"]["directory"])) == "data"


def test_onnx_files_say_the_same_of_themselves(onnx_files: Path) -> None:
    told = read_json(onnx_files / "metadata.json")
    for modality in MODALITIES:
        for name in ("", "_int8", "_floats", "_floats_int8"):
            model = onnx.load(onnx_files / f"{modality}{name}.onnx")
            check_graph(model)
            assert [(o.domain, o.version) for o in model.opset_import if o.domain in ("", "ai.onnx")] == [("", 18)]
            props = {p.key: p.value for p in model.metadata_props}
            assert props["modality"] == modality
            assert props["weights_sha256"] == told["weights_sha256"]
            (given,) = model.graph.input
            (found,) = model.graph.output
            dims = [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim]
            assert (given.name, dims) == (
                ("normalised", ["batch", 32, 16, 3])
                if "floats" in name
                else ("pictures", ["batch", "height", "width", 3])
            )
            assert [d.dim_param or d.dim_value for d in found.type.tensor_type.shape.dim] == ["batch", 16]
            kinds = {node.op_type for node in model.graph.node}
            assert ("QuantizeLinear" in kinds) == ("int8" in name)


def test_eight_bits_stay_out_of_the_norms(onnx_files: Path) -> None:
    model = onnx.load(onnx_files / "visible_int8.onnx")
    made = {output: node for node in model.graph.node for output in node.output}
    constants = {tensor.name for tensor in model.graph.initializer}
    with_epsilon = [n for n in model.graph.node if n.op_type == "Add" and constants.intersection(n.input)]
    assert with_epsilon
    for node in with_epsilon:
        assert not [i for i in node.input if i in made and made[i].op_type == "DequantizeLinear"]
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert all(made[i].op_type == "DequantizeLinear" for node in convolutions for i in node.input[:2])


@settings(max_examples=25)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1))
def test_onnx_resizes_and_normalises_as_training_does(height: int, width: int, seed: int) -> None:
    """Half of the pictures that TensorFlow rounds up at exactly .5 may differ by one grey level, no more."""
    given_value = helper.make_tensor_value_info("normalised", TensorProto.FLOAT, ("batch", 32, 16, 3))
    found_value = helper.make_tensor_value_info("descriptors", TensorProto.FLOAT, ("batch", 1536))
    nodes = [
        helper.make_node("Flatten", ["normalised"], ["flat"]),
        helper.make_node("Identity", ["flat"], ["descriptors"]),
    ]
    graph = helper.make_graph(nodes, "flat", [given_value], [found_value])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    pictures = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), np.uint8)
    import onnxruntime

    run = onnxruntime.InferenceSession(pictures_graph(model).SerializeToString())
    (found,) = run.run(None, {"pictures": pictures})
    expected = normalise(resize(pictures, 32, 16).numpy()).reshape(2, -1)
    assert np.abs(found - expected).max() <= 1.01 / (255 * 0.224)


def test_other_folders_are_left_alone(smoke_run: Path, tmp_path: Path, onnx_files: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"notes\.txt, expected numbered versions"):
        hicmd(["export", "saved-model", "--run", str(smoke_run), "--out", str(tmp_path)])
    with pytest.raises(UserError, match="exists already"):
        hicmd(["export", "onnx", "--run", str(smoke_run), "--out", str(onnx_files)])
    with pytest.raises(UserError, match="not a run folder"):
        hicmd(["export", "onnx", "--run", str(tmp_path), "--out", str(tmp_path / "out")])
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_what_describes_otherwise_or_has_other_weights_is_refused(
    smoke_run: Path, onnx_files: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(onnx_files, changed)
    model = onnx.load(changed / "visible.onnx")
    embed = max((t for t in model.graph.initializer if len(t.dims) == 2), key=lambda t: t.dims[0] * t.dims[1])
    embed.CopyFrom(numpy_helper.from_array(np.roll(numpy_helper.to_array(embed), 1, axis=1), embed.name))
    onnx.save(model, changed / "visible.onnx")
    check_it = ["export", "check", "--run", str(smoke_run), str(changed)]
    with pytest.raises(UserError, match="ONNX fp32 differs from Keras by a cosine distance of"):
        hicmd(check_it)
    told = read_json(changed / "metadata.json")
    (changed / "metadata.json").write_text(json.dumps({**told, "weights_sha256": "0" * 64}))
    with pytest.raises(UserError, match="other weights"):
        hicmd(check_it)


def test_a_folder_without_a_model_and_damaged_files_get_one_line(onnx_files: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no exported model"):
        open_artefacts(tmp_path)
    shutil.copy(onnx_files / "metadata.json", tmp_path)
    (tmp_path / "visible.onnx").write_bytes((onnx_files / "visible.onnx").read_bytes()[:1000])
    with pytest.raises(UserError, match=r"visible\.onnx can't be loaded"):
        open_artefacts(tmp_path)
    (tmp_path / "metadata.json").write_text("{}")
    with pytest.raises(UserError, match="not the metadata"):
        open_artefacts(tmp_path)


def test_an_exported_model_is_evaluated_like_its_run(
    smoke_run: Path, saved_model: Path, smoke_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(["--run", str(smoke_run), "--trial", "1", "--out", str(tmp_path / "run")])
    evaluate(["--model", str(saved_model.parent), "--out", str(tmp_path)])
    ours, theirs = (read_json(tmp_path / name / "evaluation.json") for name in ("run", "SavedModel"))
    for one, other in zip(ours.pop("verification"), theirs.pop("verification"), strict=True):
        # Similarities differ in their last digits, and so may pairs that are almost equally alike change places.
        assert one["thresholds"] == pytest.approx(other["thresholds"], abs=1e-5)
        assert one["figures"]["EER"] == pytest.approx(other["figures"]["EER"], abs=0.05)
        assert [one[name] for name in ("same", "strangers")] == [other[name] for name in ("same", "strangers")]
    assert ours == theirs
    assert "SavedModel" in capsys.readouterr().out


def test_the_check_sees_as_many_people_as_asked(smoke_run: Path, saved_model: Path) -> None:
    from hicmd_tf.commands.export import _parser as parser

    options = parser().parse_args(["check", "--run", str(smoke_run), str(saved_model), "--identities", "3"])
    keras, exported = check(source_of(OpenedRun(smoke_run)), [saved_model], options)
    assert keras.pictures == exported.pictures == 12  # 3 people, 2 pictures of either modality
    assert keras.figures == exported.figures


def test_artefacts_are_compared_by_people_who_can_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    identities, infrared = np.array([-1, -1, 2, 5, 5, 7, 7]), np.array([0, 1, 0, 0, 1, 1, 0], bool)
    samples = Samples([b""] * 7, list("abcdefg"), identities, infrared, np.ones(7, np.int64))
    none = samples.select(np.empty(0, np.int64))
    monkeypatch.setattr(check_module, "load", lambda data: DataSplits(none, none, samples))
    config = load("tiny")
    assert check_module.tested(config, 1).identities.tolist() == [5, 5]
    assert check_module.tested(config, 9).identities.tolist() == [5, 5, 7, 7]
    assert check_module.tested(config, 0) is samples
