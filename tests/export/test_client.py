"""Whatever answers, or does not, at the address of a server: the client says it in one line."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

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


def sized(content: bytes, head: bytes = HEAD) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(content) + content


GOOD = sized(b'{"outputs": [[0.5, 0.25]]}')
BUSY = sized(b'{"error": "wait"}', b"HTTP/1.1 503 Busy\r\n")


@contextlib.contextmanager
def answering(answer: bytes | Callable[[], bytes], host: str = "127.0.0.1", halts: bool = False) -> Iterator[str]:
    """A server that reads a request, then sends some bytes and closes, or halts for longer than anyone waits."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(5)
            with contextlib.suppress(OSError):
                received = b""
                while b"}}" not in received:
                    received += self.request.recv(1 << 16) or b"}}"
                self.request.sendall(answer() if callable(answer) else answer)
                if halts:
                    self.request.recv(1)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, allow_reuse_address = True, True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    with Server((host, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://{f'[{host}]' if ':' in host else host}:{server.server_address[1]}"
        server.shutdown()


def said(url: str, timeout: float = 5.0) -> str:
    with pytest.raises(UserError) as refusal:
        Client(url, timeout=timeout, retries=0).embed([PICTURE], "visible")
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 500
    return str(refusal.value)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (GOOD[:-9], "peer closed connection without"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n50\r\n{", "peer closed connection without"),
        (b"", "Server disconnected without sending a response"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "Server disconnected without"),
        (sized(b"<html>hello</html>"), "something else than 1 descriptors"),
        (sized(b"[" * 200_000), "something else than 1 descriptors"),
        (sized(b"[1, 2]"), "something else than 1 descriptors"),
        (sized(b'{"outputs": "\xff"}'), "something else than 1 descriptors"),
        (sized(b'{"predictions": [[1.0]]}'), "something else than 1 descriptors"),
        (sized(b'{"outputs": [[1.0], [2.0]]}'), "something else than 1 descriptors"),
        (sized(b'{"outputs": [[1.0], [2.0, 3.0]]}'), "something else than 1 descriptors"),
        (sized(b'{"outputs": [[NaN]]}'), "something else than 1 descriptors"),
        (sized(b'{"outputs": {"a": [[1.0]]}}'), "something else than 1 descriptors"),
        (sized(b'{"error": "out of\\nmemory"}', b"HTTP/1.1 500 Internal\r\n"), "refuses: out of memory"),
        (sized(b"oh", b"HTTP/1.1 502 Bad Gateway\r\n"), "refuses: 502 Bad Gateway"),
        (BUSY, "refuses: wait"),
        (sized(b"", b"HTTP/1.1 302 Found\r\nLocation: http://10.9.8.7/x\r\n"), "it sends on to http://10.9.8.7/x"),
        (sized(b"", b"HTTP/1.1 302 Found\r\n"), "refuses: 302 Found"),
    ],
)
def test_odd_answers_are_one_line(answer: bytes, expected: str) -> None:
    with answering(answer) as url:
        assert expected in said(url)


@pytest.mark.parametrize("begin", [b"", HEAD, GOOD[:-3]])
def test_who_halts_is_not_waited_for(begin: bytes) -> None:
    with answering(begin, halts=True) as url:
        assert "can't be asked (no answer in time)" in said(url, timeout=0.3)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.4.5", "::1"])
def test_this_machine_is_asked_without_a_proxy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(sized(b'{"outputs": "of the proxy"}')) as proxy, answering(GOOD, host) as url:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        assert Client(url).embed([PICTURE], "visible").tolist() == [[0.5, 0.25]]
        # Other machines stay the proxy's business.
        assert "something else than 1 descriptors" in said("http://models.example.org:8501")


@pytest.mark.parametrize("url", ["127.0.0.1:8501", "ftp://127.0.0.1", "http://", "http://::1:8501", "http://a:b", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UserError, match="is no address of a server: expected such as http://127"):
        Client(url)


@pytest.mark.parametrize("timeout", ["0", "nan"])
def test_a_time_to_wait_is_above_nothing(timeout: str) -> None:
    with pytest.raises(UserError, match="command line: --timeout"):
        client_main(["--modality", "visible", "a.jpg", "--timeout", timeout])


def test_a_busy_server_is_asked_again_and_an_absent_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hicmd_tf.export.client.WAIT", 0.01)
    answers = iter([BUSY, BUSY, GOOD])
    with answering(lambda: next(answers)) as url:
        assert Client(url).embed([PICTURE], "visible").tolist() == [[0.5, 0.25]]
    assert "is a server running there?" in said(url)


def test_pictures_that_are_none_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "vast.png").write_bytes(vast_png())
    array = np.zeros((33, 17, 3), np.uint8)
    client = Client("http://127.0.0.1:9")
    for pictures, modality, expected in (
        ([b"text"], "visible", "picture given as bytes can't be decoded, expected a whole PNG"),
        ([tmp_path / "missing.png"], "visible", "can't be read"),
        ([tmp_path / "vast.png"], "visible", r"vast\.png has 60000 x 60000 pixels, more than 25 million"),
        ([array / 255], "visible", "expected uint8"),
        ([array], "thermal", "expected 'visible' or 'infrared'"),
        ([], "visible", "at least one"),
    ):
        with pytest.raises(UserError, match=expected):
            client.embed(pictures, modality)  # type: ignore[arg-type]
