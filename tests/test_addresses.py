"""Which addresses are this machine, that it is asked directly, and what can't be listened on."""

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest

from hicmd_tf.addresses import NO_GRPC_PROXY, bound, bracketed, go_direct, is_this_machine
from hicmd_tf.errors import UserError

HERE = ("localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.3.4.5", "127.1", "::1", "[::1]", "0.0.0.0", "::")
MORE_HERE = ("::ffff:127.0.0.1", "0:0:0:0:0:0:0:1", "ip6-localhost")
ELSEWHERE = (
    "10.0.0.1",
    "8.8.8.8",
    "fd00::2",
    "milvus",
    "localhost.example.org",
    "127.example.org",
    "",
    "::ffff:8.8.8.8",
)


@pytest.mark.parametrize("host", [*HERE, *MORE_HERE])
def test_this_machine_in_all_spellings(host: str) -> None:
    assert is_this_machine(host)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_other_machines(host: str) -> None:
    assert not is_this_machine(host)


def test_only_ipv6_addresses_get_brackets() -> None:
    assert [bracketed(host) for host in ("::1", "[::1]", "127.0.0.1", "localhost")] == [
        "[::1]",
        "[::1]",
        "127.0.0.1",
        "localhost",
    ]


def test_grpc_keeps_the_exceptions_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NO_GRPC_PROXY, "")
    monkeypatch.setenv("no_proxy", "example.org, 10.0.0.0/8")
    go_direct("127.3.4.5", "8.8.8.8", "[::1]")
    go_direct()
    assert os.environ[NO_GRPC_PROXY].split(",") == [
        *("example.org", "10.0.0.0/8"),
        *("localhost", "127.0.0.0/8", "127.0.0.1", "::1", "[::1]", "127.3.4.5"),
    ]


@contextlib.contextmanager
def taken() -> Iterator[int]:
    with bound("127.0.0.1", 0) as found:
        found.listen()
        yield found.getsockname()[1]


def test_what_cannot_be_listened_on_is_one_line() -> None:
    with (
        taken() as port,
        pytest.raises(UserError, match=rf"^127\.0\.0\.1:{port} can't be .*: name a free port with --p$"),
    ):
        bound("127.0.0.1", port, "--p")
    for host in ("no.such.host.invalid", "a" * 64 + ".org", "a..b", "203.0.113.7", "", "fe80::1%nothing"):
        with pytest.raises(UserError, match=r"can't be listened on \(.+\): name an address of this machine as host"):
            bound(host, 0)


def test_ports_that_need_rights_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(
        UserError, match=r"^127\.0\.0\.1:80 can't be listened on \(Permission denied\): name a port from 1"
    ):
        bound("127.0.0.1", 80)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "0.0.0.0", "::"])
def test_addresses_of_both_kinds_are_listened_on(host: str) -> None:
    with bound(host, 0) as found:
        found.listen()
        reached = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::1]": "::1"}.get(host, host)
        socket.create_connection((reached, found.getsockname()[1]), timeout=10).close()
