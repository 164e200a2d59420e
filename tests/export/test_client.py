"""Whatever answers, or does not, at the address of a server: the client says it in one line."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_trees import vast_png
from odd_files import ODD_FILES

from hicmd_tf.commands.describe import main as client_main
from hicmd_tf.errors import UserError
from hicmd_tf.export.client import Client

PICTURE = ODD_FILES["JPEG, grey 37 x 91"]
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
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


def dripping(begin: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    """Sends a beginning, then a little again and again."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(begin)
        for _ in range(100):
            connection.sendall(drop)
            time.sleep(0.05)

    return answer


ODD = {
    "dies amid the body": (HEAD + b"Content-Length: 5000\r\n\r\n" + GOOD[:9], "peer closed connection without"),
    "dies amid a chunk": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n50\r\n" + GOOD[:9],
        "peer closed connection without",
    ),
    "dies before a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", "peer closed connection without"),
    "dies amid the head": (HEAD[:30], "Server disconnected without sending a response"),
    "dies at once": (b"", "Server disconnected without sending a response"),
    "resets": (reset, "can't be asked (ReadError)"),
    "is no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", "Server disconnected without"),
    "has a head without end": (b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 70_000, "Server disconnected without"),
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
    "fails amid its words": (b"HTTP/1.1 500 Oh\r\nContent-Length: 99\r\n\r\n{", "peer closed connection without"),
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


@pytest.mark.parametrize(
    "answer",
    [
        halting(b""),
        halting(HEAD),
        halting(sized(GOOD)[:-3]),
        dripping(HEAD, b"x: y\r\n"),
        dripping(HEAD + b"Content-Length: 1000\r\n\r\n", b" "),
        dripping(b"HTTP/1.1 400 Bad\r\nContent-Length: 1000\r\n\r\n", b" "),
    ],
)
def test_who_halts_or_drips_is_not_waited_for(answer: Any) -> None:
    begun = time.monotonic()
    with answering(answer) as url:
        assert "no answer in time" in said(url, timeout=0.3)
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
        *(
            "http://me:secret@a:1",
            "http://a/?x",
            "http://a/#x",
            "http://a b",
            "http://a\n",
            "grpc://a:1",
            "file:///a",
            "",
        ),
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UserError, match="is no address of a server: expected such as http://127"):
        Client(url)


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "soon"])
def test_a_time_to_wait_is_above_nothing(timeout: str) -> None:
    with pytest.raises(UserError, match="command line: --timeout"):
        client_main(["--modality", "visible", "a.jpg", "--timeout", timeout])


def test_a_busy_server_is_asked_again_and_an_absent_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hicmd_tf.export.client.WAIT", 0.01)
    busy = sized(b'{"error": "wait"}', b"HTTP/1.1 503 Busy\r\n")
    answers = iter([busy, busy, sized(GOOD)])
    with answering(lambda connection: connection.sendall(next(answers))) as url:
        assert Client(url).embed([PICTURE], "visible").tolist() == [[0.5, 0.25]]
    assert "is a server running there?" in said(url)


def test_pictures_that_are_none_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "vast.png").write_bytes(vast_png())
    array = np.zeros((33, 17, 3), np.uint8)
    client = Client("http://127.0.0.1:9")
    for picture, expected in (
        (b"text", "picture given as bytes can't be decoded, expected a whole PNG"),
        (tmp_path / "missing.png", "can't be read"),
        (tmp_path / "vast.png", r"vast\.png has 60000 x 60000 pixels, more than 25 million, expected at most"),
        (array / 255, "expected uint8"),
    ):
        with pytest.raises(UserError, match=expected):
            client.embed([picture], "visible")
    with pytest.raises(UserError, match="expected 'visible' or 'infrared'"):
        client.embed([array], "thermal")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="at least one"):
        client.embed([], "visible")
