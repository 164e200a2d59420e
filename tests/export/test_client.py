"""Whatever answers, or does not, at the address of a server: the client says it in one line."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from odd_files import ODD_FILES

from hicmd_tf.commands.describe import main as client_main
from hicmd_tf.errors import UserError
from hicmd_tf.export.client import Client

PICTURE = ODD_FILES["JPEG, grey 37 x 91"]
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
GOOD = b'{"outputs": [[0.5, 0.25]]}'


def sized(content: bytes, head: bytes = HEAD) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(content) + content


class Server(socketserver.ThreadingTCPServer):
    """Reads a request, then does what it is told: sends bytes, or calls a function with the socket."""

    daemon_threads = True
    allow_reuse_address = True


@contextlib.contextmanager
def answering(answer: bytes | Callable[[socket.socket], None], host: str = "127.0.0.1") -> Iterator[str]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(5)
            with contextlib.suppress(OSError):
                received = b""
                while b"}}" not in received and b"GET" not in received:
                    received += self.request.recv(1 << 16) or b"}}"
                if callable(answer):
                    answer(self.request)
                else:
                    self.request.sendall(answer)

    class Here(Server):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    with Here((host, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://{f'[{host}]' if ':' in host else host}:{server.server_address[1]}"
        server.shutdown()


def said(url: str, timeout: float = 5.0) -> str:
    with pytest.raises(UserError) as refusal:
        Client(url, timeout=timeout, retries=0).embed([PICTURE], "visible")
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 500
    return str(refusal.value)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def halting(begin: bytes) -> Callable[[socket.socket], None]:
    """Sends a beginning, then nothing more for longer than anyone waits."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(begin)
        connection.recv(1)

    return answer


def dripping_refusal(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        connection.sendall(b" ")
        time.sleep(0.05)


def dripping(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
    for _ in range(100):
        connection.sendall(b" ")
        time.sleep(0.05)


ODD = {
    "dies amid the body": (HEAD + b"Content-Length: 5000\r\n\r\n" + GOOD[:9], "ended before the answer did"),
    "dies amid a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n50\r\n" + GOOD[:9], "ended before the answer did"),
    "dies before a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", "ended before the answer did"),
    "dies amid the head": (HEAD[:30], "answers with no JSON object"),
    "dies at once": (b"", "Remote end closed connection without response"),
    "resets": (reset, "Connection reset by peer"),
    "is no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP"),
    "has a head without end": (b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 70_000, "the answer is not HTTP"),
    "is no JSON": (sized(b"<html>hello</html>"), "answers with no JSON object"),
    "is nested without end": (sized(b"[" * 200_000), "answers with no JSON object"),
    "is no object": (sized(b"[1, 2]"), "answers with no JSON object"),
    "is half a character": (sized(b'{"outputs": "\xff"}'), "answers with no JSON object"),
    "has no outputs": (sized(b'{"predictions": [[1.0]]}'), "something else than 1 descriptors"),
    "has other rows": (sized(b'{"outputs": [[1.0], [2.0]]}'), "something else than 1 descriptors"),
    "has ragged rows": (sized(b'{"outputs": [[1.0], [2.0, 3.0]]}'), "something else than 1 descriptors"),
    "has NaN": (sized(b'{"outputs": [[NaN]]}'), "something else than 1 descriptors"),
    "has names": (sized(b'{"outputs": {"a": [[1.0]]}}'), "something else than 1 descriptors"),
    "fails": (sized(b'{"error": "out of\\nmemory"}', b"HTTP/1.1 500 Internal\r\n"), "refuses: out of memory"),
    "fails without words": (sized(b"oh", b"HTTP/1.1 502 Bad Gateway\r\n"), "refuses: 502 Bad Gateway"),
    "fails amid its words": (b"HTTP/1.1 500 Oh\r\nContent-Length: 99\r\n\r\n{", "refuses: 500 Oh"),
    "is busy": (sized(b'{"error": "wait"}', b"HTTP/1.1 503 Busy\r\n"), "refuses: wait"),
    "is late": (sized(b'{"error": "no answer within 60 s"}', b"HTTP/1.1 504 Late\r\n"), "refuses: no answer within"),
    "sends on": (
        sized(b"", b"HTTP/1.1 302 Found\r\nLocation: http://10.9.8.7/x\r\n"),
        "it sends on to http://10.9.8.7/x",
    ),
    "sends on, to stay": (sized(b"", b"HTTP/1.1 308 P\r\nLocation: https://a.b\r\n"), "it sends on to https://a.b"),
    "sends on to a file": (sized(b"", b"HTTP/1.1 301 M\r\nLocation: file:///etc/passwd\r\n"), "refuses: "),
    "sends on to nowhere": (sized(b"", b"HTTP/1.1 302 Found\r\n"), "refuses: 302 Found"),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_answers_are_one_line(kind: str) -> None:
    answer, expected = ODD[kind]
    with answering(answer) as url:  # type: ignore[arg-type]
        assert expected in said(url)


@pytest.mark.parametrize("answer", [halting(b""), halting(HEAD), halting(sized(GOOD)[:-3]), dripping])
def test_who_halts_or_drips_is_not_waited_for(answer: Any) -> None:
    with answering(answer) as url:
        assert "no answer in time" in said(url, timeout=0.3)


def test_who_drips_a_refusal_is_not_waited_for_either() -> None:
    begun = time.monotonic()
    with answering(dripping_refusal) as url:
        assert "refuses: 400 Bad" in said(url, timeout=0.3)
        assert time.monotonic() - begun < 3  # of 5 seconds that it drips


def test_https_of_a_server_that_speaks_http_is_one_line() -> None:
    with answering(sized(GOOD)) as url:
        assert "can't be asked" in said(url.replace("http:", "https:"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.4.5", "::1"])
def test_this_machine_is_asked_without_a_proxy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(sized(b'{"outputs": "of the proxy"}')) as proxy, answering(sized(GOOD), host) as url:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        assert Client(url).embed([PICTURE], "visible").tolist() == [[0.5, 0.25]]
        if host == "127.0.0.1":
            assert Client(url.replace(host, "localhost")).embed([PICTURE], "visible").tolist() == [[0.5, 0.25]]
        # Other machines stay the proxy's business.
        assert "something else than 1 descriptors" in said("http://models.example.org:8501")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "127.0.0.1:8501",
            "ftp://127.0.0.1",
            "http://",
            "http://[",
            "http://::1:8501",
            "http://a:b",
            "http://a:70000",
        ),
        *("http://me:secret@a:1", "http://a/?x", "http://a/#x", "http://a b", "http://a\n", "grpc://a", "grpc://a:1/x"),
        *("grpc://::1:8500", "file:///etc/passwd", ""),
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UserError, match="is no address of a server: expected such as http://127"):
        Client(url)


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "soon"])
def test_a_time_to_wait_is_above_nothing(timeout: str) -> None:
    with pytest.raises(UserError, match="command line: --timeout"):
        client_main(["--modality", "visible", "a.jpg", "--timeout", timeout])


class Predictions:
    """A server of TensorFlow Serving's protocol that answers with whatever `answer` makes."""

    def __init__(self, answer: Any, host: str = "127.0.0.1") -> None:
        from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

        class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):  # type: ignore[misc]
            def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802
                return answer(predict_pb2.PredictResponse(), context)

        self.server = grpc.server(ThreadPoolExecutor(2))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Servicer(), self.server)
        self.port = self.server.add_insecure_port(f"{host}:0")

    def __enter__(self) -> str:
        self.server.start()
        return f"127.0.0.1:{self.port}"

    def __exit__(self, *_: object) -> None:
        self.server.stop(0).wait()


def described(response: Any, _: Any) -> Any:
    import tensorflow as tf

    response.outputs["descriptors"].CopyFrom(tf.make_tensor_proto(np.float32([[0.5, 0.25]])))
    return response


def test_grpc_on_this_machine_goes_without_a_proxy_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(b"HTTP/1.1 403 Forbidden\r\n\r\n") as proxy, Predictions(described, "[::]") as address:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy)
        port = address.rpartition(":")[2]
        for host in ("127.0.0.1", "localhost", "127.3.4.5", "[::1]"):
            found = Client(f"grpc://{host}:{port}", retries=0).embed([PICTURE], "visible")
            assert found.tolist() == [[0.5, 0.25]], host


def test_grpc_answers_that_are_none_are_one_line() -> None:
    def busy(_: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.UNAVAILABLE, "wait\na moment")

    def slow(response: Any, context: Any) -> Any:
        time.sleep(0.5)
        return response

    cases = [(lambda r, _: r, "something else than 1 descriptors", 5.0), (busy, "asked (wait a moment)", 5.0)]
    for answer, expected, timeout in [*cases, (slow, "asked (Deadline Exceeded)", 0.1)]:
        with Predictions(answer) as address:
            assert expected in said(f"grpc://{address}", timeout)
            assert "can't be asked" in said(f"http://{address}")  # another protocol's port
    with answering(sized(GOOD)) as url:
        assert "is that its gRPC port?" in said(url.replace("http:", "grpc:"), 0.5)
    assert "is that its gRPC port?" in said("grpc://127.0.0.1:9")
    assert "is a server running there?" in said("http://127.0.0.1:9")
