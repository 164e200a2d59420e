"""The server speaks TF Serving's protocols, answers what the model answers, and survives what people send."""

import base64
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from drawn_trees import vast_png
from odd_files import ODD_FILES, encoded
from PIL import Image

from hicmd_tf.commands.describe import main as client_main
from hicmd_tf.commands.serve import main as serve_main
from hicmd_tf.errors import UserError
from hicmd_tf.export.artefacts import open_artefacts
from hicmd_tf.export.client import Client
from hicmd_tf.export.serving.servable import WARM_UP, Servable, newest_version
from hicmd_tf.pictures.decode import simple

MEBI = 1 << 20
PICTURE = ODD_FILES["JPEG, grey 37 x 91"]


class Toy(tf.Module):
    """The signatures of an exported model, with colours of 8 x 4 pixels for descriptors; slow for one odd height."""

    def described(self, pictures: tf.Tensor, turned: tf.Tensor | float = 1.0) -> dict[str, tf.Tensor]:
        small = tf.reshape(tf.image.resize(tf.cast(pictures, tf.float32), (8, 4)), (-1, 96)) + 1.0
        return {"descriptors": turned * tf.math.l2_normalize(small, axis=1)}

    def decoded(self, picture_bytes: tf.Tensor) -> tf.Tensor:
        def one(content: tf.Tensor) -> tf.Tensor:
            picture = tf.io.decode_image(content, channels=3, expand_animations=False)
            return tf.image.resize(tf.cast(picture, tf.float32), (8, 4))

        return tf.map_fn(one, picture_bytes, fn_output_signature=tf.float32)

    def signatures(self) -> dict[str, Any]:
        pictures = tf.TensorSpec((None, None, None, 3), tf.uint8, "pictures")
        files = tf.TensorSpec((None,), tf.string, "picture_bytes")
        modality = tf.TensorSpec((None,), tf.string, "modality")

        def mixed(pictures: tf.Tensor, modality: tf.Tensor) -> dict[str, tf.Tensor]:
            known = tf.reduce_all((modality == "visible") | (modality == "infrared"))
            tf.debugging.assert_equal(known, True, "modality must name visible or infrared")
            return self.described(pictures, tf.where(modality == "visible", 1.0, -1.0)[:, None])

        def scaled(x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"half": x / 2, "double": 2 * x}

        graphs = {
            "visible": tf.function(self.described, input_signature=[pictures]),
            "visible_bytes": tf.function(lambda b: self.described(self.decoded(b)), input_signature=[files]),
            "infrared_bytes": tf.function(lambda b: self.described(self.decoded(b), -1.0), input_signature=[files]),
            "serving_default": tf.function(mixed, input_signature=[pictures, modality]),
            "two_outputs": tf.function(scaled, input_signature=[tf.TensorSpec((None,), tf.float32, "x")]),
        }
        return {name: graph.get_concrete_function() for name, graph in graphs.items()}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("toy")
    module = Toy()
    tf.saved_model.save(module, str(base / "3"), signatures=module.signatures())
    return base


def test_a_model_whose_weights_are_cut_short_is_one_line(saved_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved_model, tmp_path / "1"))
    (weights,) = folder.glob("variables/*.data-*")
    for length in (weights.stat().st_size // 2, 0):
        os.truncate(weights, length)
        with pytest.raises(UserError, match="can't be loaded as a SavedModel"):
            Servable("hicmd", folder)
        with pytest.raises(UserError, match="can't be loaded"):
            open_artefacts(folder)


def test_requests_to_warm_up_with_that_are_none_are_one_line(toy: Path, tmp_path: Path) -> None:
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    servable = Servable("hicmd", Path(shutil.copytree(toy / "3", tmp_path / "3")))
    file = tmp_path / "3" / WARM_UP
    file.parent.mkdir(exist_ok=True)
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = "visible"
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    for record in (b"\xff" * 40, log.SerializeToString(), b""):
        with tf.io.TFRecordWriter(str(file)) as writer:
            writer.write(record)
        with pytest.raises(UserError, match="holds other requests than the model answers"):
            servable.warm_up()
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(UserError, match="holds other requests"):
        servable.warm_up()


class Running(NamedTuple):
    process: subprocess.Popen[str]
    port: int
    grpc_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def start(base: Path, *options: str) -> Running:
    command = [
        sys.executable,
        "-m",
        "hicmd_tf",
        "serve",
        "--model",
        str(base),
        "--port",
        "0",
        "--grpc-port",
        "0",
        *options,
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    ports = re.search(r"http://.+:(\d+)/v1/models/hicmd, grpc://.+:(\d+)$", line)
    assert ports is not None, line
    return Running(process, int(ports[1]), int(ports[2]))


@pytest.fixture(scope="module")
def server(toy: Path) -> Iterator[Running]:
    running = start(toy, "--max-body", "8", "--max-rows", "40", "--max-pixels", "2")
    yield running
    assert running.process.poll() is None  # nothing below has brought it down
    running.process.kill()
    running.process.wait()


@pytest.fixture(scope="module")
def direct(toy: Path) -> Iterator[Any]:
    model = tf.saved_model.load(str(toy / "3"))
    yield lambda signature, **inputs: model.signatures[signature](**{k: tf.constant(v) for k, v in inputs.items()})


def ask(server: Running, method: str, path: str, body: Any = None, raw: bytes | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, json.dumps(body).encode() if raw is None else raw)
    response = connection.getresponse()
    content = json.loads(response.read())
    connection.close()
    return response.status, content


def predict(server: Running, body: Any) -> tuple[int, Any]:
    return ask(server, "POST", "/v1/models/hicmd:predict", body)


def b64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


def test_rows_and_columns_give_what_the_model_gives(server: Running, direct: Any) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)
    modality = ["visible", "infrared"]
    expected = direct("serving_default", pictures=pictures, modality=modality)["descriptors"].numpy()
    instances = [{"pictures": p.tolist(), "modality": m} for p, m in zip(pictures, modality, strict=True)]
    status, by_row = predict(server, {"instances": instances})
    assert status == 200
    assert np.array_equal(np.float32(by_row["predictions"]), expected)
    status, by_column = predict(server, {"inputs": {"pictures": pictures.tolist(), "modality": modality}})
    assert status == 200
    assert np.array_equal(np.float32(by_column["outputs"]), expected)


def test_encoded_files_come_as_base64_and_one_input_needs_no_name(server: Running, direct: Any) -> None:
    files = [PICTURE, ODD_FILES["WEBP, alpha"]]
    expected = direct("visible_bytes", picture_bytes=list(map(simple, files)))["descriptors"].numpy()
    bodies = [
        {"instances": [b64(file) for file in files]},
        {"instances": [{"picture_bytes": b64(file)} for file in files]},
        {"inputs": [b64(file) for file in files]},
        {"inputs": {"picture_bytes": [b64(file) for file in files]}},
    ]
    for body in bodies:
        status, found = predict(server, {"signature_name": "visible_bytes", **body})
        assert status == 200, found
        assert np.array_equal(np.float32(found.get("predictions") or found["outputs"]), expected)


def test_several_outputs_are_named(server: Running) -> None:
    asked = {"signature_name": "two_outputs"}
    assert predict(server, {**asked, "instances": [1, 3.0]})[1] == {
        "predictions": [{"double": 2.0, "half": 0.5}, {"double": 6.0, "half": 1.5}]
    }
    assert predict(server, {**asked, "inputs": [1, 3]})[1] == {"outputs": {"double": [2.0, 6.0], "half": [0.5, 1.5]}}


def test_status_metadata_health_and_versions(server: Running) -> None:
    status, found = ask(server, "GET", "/v1/models/hicmd")
    assert status == 200
    assert found["model_version_status"] == [
        {"version": "3", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]
    assert ask(server, "GET", "/v1/models/hicmd/versions/3") == (200, found)
    status, told = ask(server, "GET", "/v1/models/hicmd/metadata")
    assert told["model_spec"] == {"name": "hicmd", "signature_name": "", "version": "3"}
    signatures = told["metadata"]["signature_def"]["signature_def"]
    pictures = signatures["visible"]["inputs"]["pictures"]
    assert pictures["dtype"] == "DT_UINT8"
    assert [dim["size"] for dim in pictures["tensor_shape"]["dim"]] == ["-1", "-1", "-1", "3"]
    assert signatures["visible"]["method_name"] == "tensorflow/serving/predict"
    assert ask(server, "GET", "/healthz")[1]["status"] == "ok"
    body = {"signature_name": "two_outputs", "instances": [1]}
    assert ask(server, "POST", "/v1/models/hicmd/versions/3:predict", body)[0] == 200
    assert ask(server, "POST", "/v1/models/hicmd/versions/4:predict", body)[0] == 404


LARGE = encoded(Image.new("L", (2000, 1500)), "PNG")
WEBP = encoded(Image.new("RGB", (2000, 1500)), "WEBP")
MOVING = encoded(
    Image.new("L", (4, 4)), "GIF", save_all=True, append_images=[Image.new("L", (4, 4), shade) for shade in (90, 180)]
)
GOOD = [[[1, 2, 3]]]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"signature_name": "visible_bytes", "instances": [b64(PICTURE[:500])]}, 400, "can't be decoded"),
        ({"signature_name": "visible_bytes", "instances": [b64(b"just text")]}, 400, "expected a whole PNG, JPEG"),
        ({"signature_name": "visible_bytes", "instances": [b64(PICTURE[:20])]}, 400, "can't be decoded"),
        (
            {"signature_name": "visible_bytes", "instances": [b64(b"\xff\x0a" + bytes(99))]},
            400,
            "can't be decoded",
        ),
        ({"signature_name": "visible_bytes", "instances": [b64(WEBP)]}, 400, "2000 x 1500 pixels"),
        ({"signature_name": "visible_bytes", "instances": [b64(vast_png())]}, 400, "60000 x 60000 pixels"),
        ({"signature_name": "visible_bytes", "instances": [b64(MOVING)]}, 400, "holds 3 pictures"),
        ({"signature_name": "visible_bytes", "instances": [{"b64": "*"}]}, 400, "base64"),
        ({"signature_name": "visible_bytes", "instances": [{"b64": 3}]}, 400, "base64"),
        ({"signature_name": "visible_bytes", "instances": [3]}, 400, "neither text nor"),
        ({"signature_name": "visible_bytes", "instances": [b64(LARGE)]}, 400, "2000 x 1500 pixels"),
        ({"signature_name": "visible_bytes", "instances": [b64(PICTURE)] * 41}, 413, "41 rows"),
        ({"signature_name": "visible_bytes", "instances": []}, 400, "at least one row"),
        ({"signature_name": "visible", "inputs": []}, 400, "expected uint8"),
        ({"signature_name": "visible", "instances": [[[1, 2, 3]]]}, 400, "expected uint8 (any, any, any, 3)"),
        ({"signature_name": "visible", "instances": [[[[1, 2]]]]}, 400, "expected uint8 (any, any, any, 3)"),
        ({"signature_name": "visible", "instances": [[[[1, 2, 256]]]]}, 400, "beyond those of uint8"),
        ({"signature_name": "visible", "instances": [[[[1, 2, 0.5]]]]}, 400, "other values"),
        ({"signature_name": "visible", "instances": [[[[1, 2, 3]], [[1, 2]]]]}, 400, "differ in length"),
        ({"instances": [{"pictures": GOOD, "modality": "thermal"}]}, 400, "modality must name visible or infrared"),
        ({"instances": [{"pictures": GOOD}]}, 400, "missing: modality"),
        ({"instances": [{"pictures": GOOD, "modality": "visible", "more": 1}]}, 400, "no input 'more'"),
        ({"instances": [{"pictures": GOOD}, {"modality": "visible"}]}, 400, "other inputs than instances[0]"),
        ({"inputs": {"pictures": [GOOD], "modality": ["visible"] * 2}}, 400, "rows"),
        ({"instances": [GOOD]}, 400, "name the inputs"),
        ({"signature_name": "nothing", "instances": [1]}, 400, "no signature 'nothing'"),
        ({"signature_name": 3, "instances": [1]}, 400, "signature_name"),
        ({"instances": [1], "inputs": [1]}, 400, "either instances or inputs"),
        ({}, 400, "either instances or inputs"),
        ([1], 400, "no JSON object"),
    ],
)
def test_mistakes_are_answered_in_a_sentence(server: Running, body: Any, status: int, said: str) -> None:
    answered, found = predict(server, body)
    assert (answered, list(found)) == (status, ["error"])
    assert said in found["error"]
    assert "\n" not in found["error"] and len(found["error"]) < 400


@pytest.mark.parametrize(
    ("method", "path", "raw", "status"),
    [
        ("POST", "/v1/models/hicmd:predict", b"{", 400),
        ("POST", "/v1/models/hicmd:predict", b'{"instances": [NaN]}', 400),
        ("POST", "/v1/models/hicmd:predict", b"[" * 200_000, 400),
        ("POST", "/v1/models/hicmd:predict", b'\xff\xfe{"a"', 400),
        ("POST", "/v1/models/other:predict", b"{}", 404),
        ("GET", "/v1/models/other", b"", 404),
        ("GET", "/v1/models/hicmd/versions/x", b"", 404),
        ("GET", "/nowhere", b"", 404),
        ("PUT", "/v1/models/hicmd:predict", b"", 405),
        ("DELETE", "/v1/models/hicmd", b"", 405),
    ],
)
def test_malformed_requests_are_answered_too(server: Running, method: str, path: str, raw: bytes, status: int) -> None:
    answered, found = ask(server, method, path, raw=raw)
    assert (answered, list(found)) == (status, ["error"])


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_two_gibibytes_is_refused_unread(server: Running, chunked: bool) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {2 << 30}"
        connection.sendall(f"POST /v1/models/hicmd:predict HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode())
        sent = 0
        part = bytes(MEBI)
        try:
            while chunked and sent < 2 << 30:
                connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                sent += len(part)
        except OSError:
            pass  # it hangs up on who goes on
        assert sent < 256 * MEBI
        if not chunked:
            assert b"413" in connection.recv(1000).split(b"\r\n")[0]
    assert ask(server, "GET", "/healthz")[0] == 200


def test_a_hundred_megapixels_are_refused_undecoded(server: Running) -> None:
    bomb = encoded(Image.new("1", (10_000, 10_000)), "PNG")
    assert len(bomb) < MEBI
    status, found = predict(server, {"signature_name": "visible_bytes", "instances": [b64(bomb)]})
    assert status == 400
    assert "10000 x 10000 pixels" in found["error"]


def test_64_clients_at_once_get_their_own(server: Running, direct: Any) -> None:
    random = np.random.default_rng(3)
    pictures = random.integers(0, 256, (64, 12, 9, 3), np.uint8)
    expected = direct("visible", pictures=pictures)["descriptors"].numpy()
    before = ask(server, "GET", "/healthz")[1]
    together = threading.Barrier(64)

    def one(row: int) -> tuple[int, Any]:
        together.wait()
        if row % 8 == 7:
            return predict(server, {"signature_name": "visible", "instances": [[[[row, 0, 999]]]]})
        return predict(server, {"signature_name": "visible", "instances": [pictures[row].tolist()]})

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(one, range(64)))
    for row, (status, found) in enumerate(answers):
        if row % 8 == 7:
            assert status == 400
        else:
            assert status == 200
            assert np.allclose(found["predictions"][0], expected[row], atol=1e-6)
    after = ask(server, "GET", "/healthz")[1]
    assert after["requests"] - before["requests"] == 56
    assert after["batches"] - before["batches"] < 56


def test_tensorflow_servings_own_classes_are_answered(server: Running, direct: Any) -> None:
    import grpc
    from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}"))
    pictures = np.random.default_rng(1).integers(0, 256, (3, 7, 6, 3), np.uint8)
    modality = ["infrared", "visible", "visible"]
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "hicmd"
    request.inputs["pictures"].CopyFrom(tf.make_tensor_proto(pictures))
    request.inputs["modality"].CopyFrom(tf.make_tensor_proto(modality))
    response = stub.Predict(request, timeout=60)
    expected = direct("serving_default", pictures=pictures, modality=modality)["descriptors"].numpy()
    assert np.array_equal(tf.make_ndarray(response.outputs["descriptors"]), expected)
    assert (response.model_spec.name, response.model_spec.version.value) == ("hicmd", 3)

    asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    asked.model_spec.name = "hicmd"
    signatures = get_model_metadata_pb2.SignatureDefMap()
    stub.GetModelMetadata(asked, timeout=60).metadata["signature_def"].Unpack(signatures)
    assert "visible_bytes" in signatures.signature_def

    request.inputs["modality"].CopyFrom(tf.make_tensor_proto(["thermal"] * 3))
    with pytest.raises(grpc.RpcError) as refused:
        stub.Predict(request, timeout=60)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "modality must name" in refused.value.details()
    request.model_spec.version.value = 9
    with pytest.raises(grpc.RpcError) as missing:
        stub.Predict(request, timeout=60)
    assert missing.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_the_client_takes_files_bytes_and_arrays(server: Running, direct: Any, tmp_path: Path, protocol: str) -> None:
    array = np.random.default_rng(2).integers(0, 256, (33, 17, 3), np.uint8)
    (tmp_path / "a.jpg").write_bytes(PICTURE)
    files = [PICTURE, tf.io.encode_png(array).numpy()]
    expected = direct("infrared_bytes", picture_bytes=files)["descriptors"].numpy()
    client = Client(f"{protocol}://127.0.0.1:{server.port if protocol == 'http' else server.grpc_port}")
    assert np.array_equal(client.embed([tmp_path / "a.jpg", array], "infrared"), expected)
    many = client.embed([PICTURE] * 70, "infrared")  # more than one request
    assert np.allclose(many, expected[0], atol=1e-6) and many.shape == (70, 96)
    with pytest.raises(UserError, match=r"refuses: .*2000 x 1500 pixels"):
        client.embed([LARGE], "visible")
    with pytest.raises(UserError, match="picture given as bytes can't be decoded, expected a whole PNG"):
        client.embed([b"text"], "visible")
    with pytest.raises(UserError, match="can't be read"):
        client.embed([tmp_path / "missing.png"], "visible")
    (tmp_path / "vast.png").write_bytes(vast_png())
    with pytest.raises(UserError, match=r"vast\.png has 60000 x 60000 pixels, more than 25 million, expected at most"):
        client.embed([tmp_path / "vast.png"], "visible")
    with pytest.raises(UserError, match="expected 'visible' or 'infrared'"):
        client.embed([PICTURE], "thermal")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="expected uint8"):
        client.embed([array / 255], "visible")
    with pytest.raises(UserError, match="at least one"):
        client.embed([], "visible")


def test_the_clients_command_writes_descriptors(
    server: Running, direct: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jpg").write_bytes(PICTURE)
    asked = ["--url", server.url, "--modality", "visible", str(tmp_path / "a.jpg")]
    client_main([*asked, "--out", str(tmp_path / "d.npz")])
    expected = direct("visible_bytes", picture_bytes=[PICTURE])["descriptors"].numpy()
    with np.load(tmp_path / "d.npz") as stored:
        assert np.array_equal(stored["descriptors"], expected)
    capsys.readouterr()
    client_main(asked)
    assert np.allclose(json.loads(capsys.readouterr().out)["descriptor"], expected[0])
    assert Client(server.url).status()["model_version_status"][0]["version"] == "3"
    assert "metadata" in Client(server.url).metadata()
    with pytest.raises(UserError, match="no model 'other'"):
        Client(server.url, "other").status()


def test_a_busy_server_is_asked_again_and_an_absent_one_is_named() -> None:
    import http.server

    answers = iter([503, 503, 200])

    class Busy(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status = next(answers)
            content = json.dumps({"outputs": [[1.0]]} if status == 200 else {"error": "busy"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Busy) as busy:
        threading.Thread(target=busy.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{busy.server_port}"
        assert Client(url).embed([PICTURE], "visible").tolist() == [[1.0]]
        busy.shutdown()
    with pytest.raises(UserError, match="is a server running there"):
        Client(url).embed([PICTURE], "visible")
    with pytest.raises(UserError, match="no address of a server"):
        Client("127.0.0.1:8501")


@pytest.mark.parametrize("host", ["::1", "::", "0.0.0.0", "localhost"])
def test_it_listens_on_addresses_of_both_kinds(toy: Path, host: str) -> None:
    running = start(toy, "--host", host)
    try:
        reached = {"::": "::1", "0.0.0.0": "127.0.0.1"}.get(host, host)
        reached = f"[{reached}]" if ":" in reached else reached
        for url in (f"http://{reached}:{running.port}", f"grpc://{reached}:{running.grpc_port}"):
            assert Client(url).embed([PICTURE], "visible").shape == (1, 96)
    finally:
        running.process.kill()
        running.process.wait()


class Called(NamedTuple):
    """A call of gRPC, of whose time so much is left."""

    left: float | None

    def time_remaining(self) -> float | None:
        return self.left

    def abort(self, code: Any, said: str) -> None:
        raise RuntimeError(f"{code.name}: {said}")


def test_a_deadline_of_grpc_is_kept_and_what_is_late_is_not_computed() -> None:
    from tensorflow_serving.apis import predict_pb2

    from hicmd_tf.export.serving.batching import Batcher
    from hicmd_tf.export.serving.limits import Limits
    from hicmd_tf.export.serving.remote import Predictions
    from hicmd_tf.export.serving.service import Service

    ran: list[str] = []
    asked: list[float] = []
    held = threading.Event()
    held.set()

    class Slow:
        name, version = "hicmd", 3

        def check(self, *_: Any) -> None:
            pass

        def batchable(self, _: str) -> bool:
            return False

        def run(self, signature: str, inputs: Any) -> Any:
            held.wait(30)
            ran.append(signature)
            return inputs

    class Noting(Batcher):
        def submit(self, signature: str, inputs: Any, joinable: bool, seconds: float) -> Any:
            asked.append(seconds)
            return super().submit(signature, inputs, joinable, seconds)

    model = Slow()
    batcher = Noting(model.run)
    predictions = Predictions(Service(model, Limits(seconds=60.0), batcher))  # type: ignore[arg-type]

    def call(left: float | None, signature: str) -> Any:
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = "hicmd", signature
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
        return predictions.Predict(request, Called(left))

    for left in (0.0, -3.0):
        with pytest.raises(RuntimeError, match="DEADLINE_EXCEEDED: no answer within"):
            call(left, "expired")
    assert not asked
    for left, expected in ((None, 60.0), (1000.0, 60.0), (7.0, 7.0)):
        assert list(call(left, "whole").outputs) == ["x"]
        assert expected - 5 < asked[-1] <= expected
    held.clear()
    busy = threading.Thread(target=call, args=(None, "first"))
    busy.start()
    while len(asked) < 4:
        time.sleep(0.01)
    time.sleep(0.05)
    with pytest.raises(RuntimeError, match=r"DEADLINE_EXCEEDED: no answer within 0\.2 seconds"):
        call(0.2, "short")
    held.set()
    busy.join(30)
    batcher.close()
    assert ran == ["whole", "whole", "whole", "first"]


def test_it_stops_when_told_and_answers_what_is_under_way(toy: Path) -> None:
    running = start(toy, "--batch-wait", "1500")
    found: list[tuple[int, Any]] = []
    asked = {"signature_name": "two_outputs", "instances": [4]}
    waiting = threading.Thread(target=lambda: found.append(predict(running, asked)))
    waiting.start()
    time.sleep(0.7)  # the request waits for others by now
    running.process.send_signal(signal.SIGTERM)
    waiting.join(30)
    assert found and found[0] == (200, {"predictions": [{"double": 8.0, "half": 2.0}]})
    output, _ = running.process.communicate(timeout=60)
    assert "all requests are answered" in output


def test_what_cant_be_served_is_said_in_one_line(toy: Path, tmp_path: Path, server: Running) -> None:
    def refused(*options: str) -> str:
        command = [sys.executable, "-m", "hicmd_tf", "serve", *options]
        ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()})
        assert ran.returncode == 2
        (line,) = [line for line in ran.stderr.splitlines() if line.startswith("error: ")]
        assert "Traceback" not in ran.stderr
        return line

    assert "can't be listened on" in refused("--model", str(toy), "--port", str(server.port))
    free = ["--model", str(toy), "--port", "0"]
    assert "free port with --grpc-port" in refused(*free, "--grpc-port", str(server.grpc_port))
    for options, said in (
        (["--host", "no.such.host.invalid"], "name an address of this machine as host"),
        (["--host", "203.0.113.7"], "name an address of this machine as host"),
        (["--port", "9", "--grpc-port", "9"], "REST and gRPC need a port each"),
        (["--batch-wait", "60000"], "expected less than the 60 seconds of --timeout"),
        (["--max-batch", "9", "--max-waiting", "8"], "expected at most the 8 rows of --max-waiting"),
        (["--timeout", "0"], "'0' is no time to wait"),
    ):
        with pytest.raises(UserError, match=said):
            serve_main([*(free[:2] if "--port" in options else free), *options])
    with pytest.raises(UserError, match="no numbered versions"):
        newest_version(tmp_path)
    with pytest.raises(UserError, match="has no version 9"):
        newest_version(toy, 9)
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"damaged")
    assert "can't be loaded" in refused("--model", str(tmp_path), "--port", "0", "--grpc-port", "0")
    assert io.BytesIO(LARGE).getbuffer().nbytes < MEBI
