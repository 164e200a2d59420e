"""The server speaks TensorFlow Serving's protocol, answers what the model answers, and survives what people send."""

import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
import tensorflow as tf
import uvicorn
from drawn_trees import vast_png
from hypothesis import given
from hypothesis import strategies as st
from odd_files import ODD_FILES, encoded
from PIL import Image
from starlette.exceptions import HTTPException

from hicmd_tf.addresses import listening
from hicmd_tf.commands import main
from hicmd_tf.errors import UserError
from hicmd_tf.export.artefacts import SavedModel, versions
from hicmd_tf.export.client import Client
from hicmd_tf.export.servable import Limits, Request, Servable, request_of
from hicmd_tf.export.server import Batcher, settings

MEBI = 1 << 20
PICTURE = ODD_FILES["JPEG, grey 37 x 91"]
PREDICT = "/v1/models/hicmd:predict"


class Server(NamedTuple):
    url: str
    model: SavedModel

    def ask(self, method: str, path: str, body: Any = None, raw: bytes | None = None) -> tuple[int, Any]:
        content = json.dumps(body).encode() if raw is None else raw
        answer = httpx.request(method, self.url + path, content=content, timeout=60, trust_env=False)
        return answer.status_code, answer.json()

    def predict(self, signature: str, **body: Any) -> tuple[int, Any]:
        return self.ask("POST", PREDICT, {"signature_name": signature, **body})


@pytest.fixture(scope="module")
def server(saved_model: Path) -> Iterator[Server]:
    limits = Limits(body=8 * MEBI, rows=40, pixels=2 * 10**6)
    servable = Servable("hicmd", saved_model, limits)
    running = uvicorn.Server(settings(servable, limits))
    taken = listening("127.0.0.1", 0)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [taken]})
    thread.start()
    yield Server(f"http://127.0.0.1:{taken.getsockname()[1]}", servable.model)
    assert thread.is_alive()  # nothing below has brought it down
    running.should_exit = True
    thread.join(60)


def b64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


def test_rows_and_columns_give_what_the_model_gives(server: Server) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)
    files, modality = [encoded(Image.fromarray(p), "PNG") for p in pictures], ["visible", "infrared"]
    expected = [server.model.describe([f], m)[0] for f, m in zip(files, ("visible", "infrared"), strict=True)]
    for name, values in (("pictures", pictures.tolist()), ("picture_bytes", [b64(file) for file in files])):
        signature = "serving_default" + ("_bytes" if name == "picture_bytes" else "")
        rows = [{name: p, "modality": m} for p, m in zip(values, modality, strict=True)]
        status, by_row = server.predict(signature, instances=rows)
        assert status == 200, by_row
        _, by_column = server.predict(signature, inputs={name: values, "modality": modality})
        assert by_row["predictions"] == by_column["outputs"]
        assert np.allclose(by_row["predictions"], expected, atol=1e-6)


def test_files_come_as_base64_and_one_input_needs_no_name(server: Server) -> None:
    files = [PICTURE, ODD_FILES["WEBP, alpha"]]
    expected = server.model.describe(files, "visible")
    texts = [b64(file) for file in files]
    for rows in (texts, [{"picture_bytes": text} for text in texts]):
        assert np.allclose(server.predict("visible_bytes", instances=rows)[1]["predictions"], expected, atol=1e-6)
    for columns in (texts, {"picture_bytes": texts}):
        assert np.allclose(server.predict("visible_bytes", inputs=columns)[1]["outputs"], expected, atol=1e-6)


def test_status_metadata_health_and_versions(server: Server) -> None:
    status, found = server.ask("GET", "/v1/models/hicmd")
    ready = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert (status, found) == (200, {"model_version_status": [ready]})
    assert server.ask("GET", "/v1/models/hicmd/versions/1") == (200, found)
    told = server.ask("GET", "/v1/models/hicmd/metadata")[1]
    assert told["model_spec"] == {"name": "hicmd", "signature_name": "", "version": "1"}
    signatures = told["metadata"]["signature_def"]["signature_def"]
    pictures = signatures["visible"]["inputs"]["pictures"]
    assert pictures["dtype"] == "DT_UINT8"
    assert [dim["size"] for dim in pictures["tensor_shape"]["dim"]] == ["-1", "-1", "-1", "3"]
    assert signatures["visible"]["method_name"] == "tensorflow/serving/predict"
    assert server.ask("GET", "/healthz")[1]["status"] == "ok"
    body = {"signature_name": "visible_bytes", "instances": [b64(PICTURE)]}
    assert server.ask("POST", "/v1/models/hicmd/versions/1:predict", body)[0] == 200
    assert server.ask("POST", "/v1/models/hicmd/versions/4:predict", body)[0] == 404


LARGE = encoded(Image.new("L", (2000, 1500)), "PNG")
MOVING = encoded(
    Image.new("L", (4, 4)), "GIF", save_all=True, append_images=[Image.new("L", (4, 4), shade) for shade in (90, 180)]
)
GOOD = [[[1, 2, 3]]]
FILE_MISTAKES = {
    "can't be decoded": [PICTURE[:500]],
    "expected a whole PNG, JPEG": [b"just text"],
    "picture_bytes[1] has 2000 x 1500 pixels": [PICTURE, LARGE],
    "60000 x 60000 pixels": [vast_png()],
    "holds 3 pictures": [MOVING],
}


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        *(({"instances": list(map(b64, files))}, 400, said) for said, files in FILE_MISTAKES.items()),
        ({"instances": [b64(PICTURE)] * 41}, 413, "41 rows"),
        ({"instances": [{"b64": "*"}]}, 400, "base64"),
        ({"instances": ["\ud800"]}, 400, "neither base64 nor text"),
        ({"instances": [3]}, 400, "neither text nor"),
        ({"instances": []}, 400, "at least one row"),
        ({"inputs": []}, 400, "at least one picture"),
        ({"signature_name": "visible", "inputs": []}, 400, "expected (None, None, None, 3)"),
        ({"signature_name": "visible", "instances": [[[[1, 2]]]]}, 400, "expected (None, None, None, 3)"),
        ({"signature_name": "visible", "instances": [[[[1, 2, 256]]]]}, 400, "other values than uint8"),
        ({"signature_name": "visible", "instances": [[[[1, 2, 3]], [[1, 2]]]]}, 400, "differ in length"),
        ({"signature_name": "", "instances": [{"pictures": GOOD, "modality": "thermal"}]}, 400, "modality must name"),
        ({"signature_name": "", "instances": [{"pictures": GOOD}]}, 400, "takes modality, pictures; given: pictures"),
        ({"signature_name": "", "instances": [{"pictures": GOOD}, {"modality": ""}]}, 400, "other inputs than"),
        ({"signature_name": "", "inputs": {"pictures": [GOOD], "modality": ["visible"] * 2}}, 400, "rows"),
        ({"signature_name": "", "instances": [GOOD]}, 400, "name the inputs"),
        ({"instances": [{"picture_bytes": b64(PICTURE), "more": 1}]}, 400, "given: picture_bytes, more"),
        ({"signature_name": "nothing", "instances": [1]}, 400, "no signature 'nothing'"),
        ({"instances": [1], "inputs": [1]}, 400, "either instances or inputs"),
    ],
)
def test_mistakes_are_answered_in_a_sentence(server: Server, body: Any, status: int, said: str) -> None:
    answered, found = server.ask("POST", PREDICT, {"signature_name": "visible_bytes", **body})
    assert (answered, list(found)) == (status, ["error"])
    assert said in found["error"]
    assert "\n" not in found["error"] and len(found["error"]) < 400


@pytest.mark.parametrize(
    ("method", "path", "raw", "status"),
    [
        ("POST", PREDICT, b"{", 400),
        ("POST", PREDICT, b'{"instances": [NaN]}', 400),
        ("POST", PREDICT, b"[" * 200_000, 400),
        ("POST", PREDICT, b'\xff\xfe{"a"', 400),
        ("POST", "/v1/models/other:predict", b"{}", 404),
        ("GET", "/v1/models/hicmd/versions/x", b"", 404),
        ("GET", "/nowhere", b"", 404),
        ("PUT", PREDICT, b"", 405),
    ],
)
def test_malformed_requests_are_answered_too(server: Server, method: str, path: str, raw: bytes, status: int) -> None:
    answered, found = server.ask(method, path, raw=raw)
    assert (answered, list(found)) == (status, ["error"])


SPECS = {"pictures": tf.TensorSpec((None, None, None, 3), tf.uint8), "modality": tf.TensorSpec((None,), tf.string)}
SIMPLE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.builds(b64, st.binary())
VALUES = st.recursive(
    SIMPLE,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["pictures", "modality", "b64", "instances", "inputs"]), inner, max_size=3)
    ),
)


@given(st.sampled_from(["instances", "inputs"]), VALUES, VALUES, VALUES)
def test_whatever_is_asked_for_is_a_request_or_a_failure(layout: str, values: Any, picture: Any, modality: Any) -> None:
    row = {"pictures": picture, "modality": modality}
    for asked in (values, row, [row, row], {"pictures": [picture, picture], "modality": [modality, modality]}):
        body = json.dumps({"signature_name": "visible", layout: asked}).encode()
        try:
            assert request_of(body, {"visible": SPECS}, Limits()).rows > 0
        except HTTPException as failure:
            assert failure.detail and "\n" not in failure.detail and 400 <= failure.status_code < 500


def test_a_body_that_is_too_long_is_refused_unread(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=60) as connection:
        connection.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {2 << 30}\r\n\r\n".encode())
        assert b"413" in connection.recv(1000).split(b"\r\n")[0]
    parts = (bytes(MEBI) for _ in range(9))  # whose length nobody said
    with contextlib.suppress(httpx.TransportError):  # it may hang up on who goes on
        assert httpx.post(server.url + PREDICT, content=parts, trust_env=False).status_code == 413
    assert server.ask("GET", "/healthz")[0] == 200


def test_the_client_takes_files_bytes_and_arrays(server: Server, tmp_path: Path) -> None:
    array = np.random.default_rng(2).integers(0, 256, (33, 17, 3), np.uint8)
    (tmp_path / "a.jpg").write_bytes(PICTURE)
    expected = server.model.describe([PICTURE, encoded(Image.fromarray(array), "PNG")], "infrared")
    client = Client(server.url)
    assert np.allclose(client.embed([tmp_path / "a.jpg", array], "infrared"), expected, atol=1e-6)
    many = client.embed([PICTURE] * 35, "infrared")  # more than one request
    assert np.allclose(many, expected[:1], atol=1e-6) and len(many) == 35
    with pytest.raises(UserError, match=r"refuses: .*2000 x 1500 pixels"):
        client.embed([LARGE], "visible")
    with pytest.raises(
        UserError, match="nothing at /v1/models/other:predict: the model is /v1/models/hicmd, version 1"
    ):
        Client(server.url, "other").embed([PICTURE], "visible")


def test_the_command_writes_descriptors_whole_or_not_at_all(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / f"{number}.jpg" for number in range(34)]  # two requests
    for file in files:
        file.write_bytes(PICTURE)
    (expected,) = server.model.describe([PICTURE], "visible")
    asked = ["describe", "--url", server.url, "--modality", "visible", *map(str, files)]
    main([*asked, "--out", str(tmp_path / "d.npz")])
    with np.load(tmp_path / "d.npz") as stored:
        assert np.allclose(stored["descriptors"], expected, atol=1e-6)
        assert stored["names"].tolist() == list(map(str, files))
    files[-1].write_bytes(b"text")
    with pytest.raises(UserError, match=r"33\.jpg can't be decoded"):
        main([*asked, "--out", str(tmp_path / "e.npz")])
    assert not (tmp_path / "e.npz").exists()
    capsys.readouterr()
    with pytest.raises(UserError, match=r"33\.jpg can't be decoded"):
        main(asked)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["picture"] for line in lines] == list(map(str, files[:32]))  # what came before the mistake
    assert np.allclose([line["descriptor"] for line in lines], expected, atol=1e-6)


# ------------------------------------------------------------------------------------------------------------ batching


def request(*values: float, signature: str = "visible") -> Request:
    return Request(signature, True, {"x": np.array(values)})


def batched(
    limits: Limits, requests: list[Request], run: Callable[..., Any] = lambda _, inputs: inputs["x"][:, None]
) -> tuple[list[Any], list[list[float]]]:
    """Answers, or errors, of requests that come at once, and the rows of each batch."""
    seen: list[list[float]] = []

    def noting(signature: str, inputs: Any) -> Any:
        seen.append(inputs["x"].tolist())
        return run(signature, inputs)

    async def ask() -> list[Any]:
        batcher = Batcher(noting, limits)
        answers = [asyncio.wait_for(batcher.answer(one), limits.seconds) for one in requests]
        return await asyncio.gather(*answers, return_exceptions=True)

    found = asyncio.run(ask())
    return [one.ravel().tolist() if isinstance(one, np.ndarray) else one for one in found], seen


def test_requests_of_one_signature_are_joined_up_to_so_many_rows() -> None:
    asked = [request(1, 2), request(3, signature="infrared"), request(4), request(5, 6), request(7)]
    answers, seen = batched(Limits(batch=4, wait=0.01), asked)
    assert answers == [[1, 2], [3], [4], [5, 6], [7]]
    assert seen == [[1, 2, 4, 7], [3], [5, 6]]
    assert batched(Limits(batch=2), [request(1, 2, 3)])[0] == [[1, 2, 3]]  # one larger than a batch goes alone


def test_a_bad_request_fails_alone() -> None:
    def run(_: str, inputs: Any) -> Any:
        if 13 in inputs["x"]:
            raise HTTPException(400, "no such number")
        return inputs["x"]

    (one, bad, two), _ = batched(Limits(wait=0.01), [request(1), request(13), request(2)], run)
    assert (one, two, bad.detail) == ([1], [2], "no such number")


def test_more_than_may_wait_are_refused_and_what_is_late_is_not_computed() -> None:
    answers, _ = batched(Limits(waiting=3), [request(1, 2), request(3), request(4)])
    assert answers[:2] == [[1, 2], [3]] and answers[2].status_code == 503

    held = threading.Event()
    asked = [request(1), request(2, signature="other")]
    answers, seen = batched(Limits(seconds=0.05), asked, lambda _, inputs: held.wait(0.3) or inputs["x"])
    assert all(isinstance(answer, TimeoutError) for answer in answers)
    assert seen == [[1]]


# ---------------------------------------------------------------------------------------------------- start and stop


def test_it_stops_when_asked_and_answers_open_requests(saved_model: Path) -> None:
    command = [sys.executable, "-m", "hicmd_tf", "serve", "--model", str(saved_model.parent), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    with subprocess.Popen(
        [*command, "--host", "::1", "--batch-wait", "1500"], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            address = re.fullmatch(r"serving hicmd version 1: (http://\[::1\]:\d+)/v1/models/hicmd\n", line)
            assert address is not None, line
            with ThreadPoolExecutor(1) as pool:
                open_request = pool.submit(Client(address[1]).embed, [PICTURE], "visible")
                while httpx.get(f"{address[1]}/healthz").json()["requests"] == 0 and not open_request.done():
                    if process.poll() is None:
                        process.send_signal(signal.SIGTERM)
                        break
                assert open_request.result(60).shape == (1, 16)
            output, _ = process.communicate(timeout=60)
            assert "all requests are answered" in output and process.returncode == 0
        finally:
            process.kill()


def test_what_cant_be_served_is_one_line(saved_model: Path, tmp_path: Path) -> None:
    taken = listening("127.0.0.1", 0)
    for options, said in (
        (["--port", str(taken.getsockname()[1])], "can't be listened on .* name a free port with --port"),
        (["--host", "no.such.host.invalid"], "name an address of this machine as host"),
        (["--host", "203.0.113.7"], "name an address of this machine as host"),
        (["--timeout", "0"], "'0' is no time to wait"),
        (["--version", "9"], "has no version 9, expected one of 1"),
    ):
        port = [] if "--port" in options else ["--port", "0"]
        with pytest.raises(UserError, match=said):
            main(["serve", "--model", str(saved_model.parent), *port, *options])
    taken.close()
    with pytest.raises(UserError, match="no numbered versions"):
        main(["serve", "--model", str(tmp_path)])
    for number in ("2", "10", "notes"):
        (tmp_path / number).mkdir()
    assert list(versions(tmp_path)) == [2, 10]


def test_a_damaged_model_is_one_line(saved_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved_model, tmp_path / "1"))
    (weights,) = folder.glob("variables/*.data-*")
    os.truncate(weights, weights.stat().st_size // 2)
    with pytest.raises(UserError, match="can't be loaded"):
        Servable("hicmd", folder, Limits())
