"""Which addresses are this machine, that it is asked directly, and what can't be listened on."""

import os
import socket

import pytest

from hicmd_tf.addresses import NO_GRPC_PROXY, bracketed, go_direct, is_this_machine, listening
from hicmd_tf.errors import UserError


def test_this_machine_and_others() -> None:
    for host in ("localhost", "LOCALHOST", "127.0.0.1", "127.3.4.5", "::1", "[::1]"):
        assert is_this_machine(host)
    for host in ("10.0.0.1", "8.8.8.8", "fd00::2", "milvus", "localhost.example.org", "127.example.org", ""):
        assert not is_this_machine(host)


def test_only_ipv6_addresses_get_brackets() -> None:
    given = ("::1", "[::1]", "127.0.0.1", "localhost")
    assert [bracketed(host) for host in given] == ["[::1]", "[::1]", "127.0.0.1", "localhost"]


def test_grpc_keeps_the_exceptions_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NO_GRPC_PROXY, "")
    monkeypatch.setenv("no_proxy", "example.org,10.0.0.0/8")
    go_direct()
    assert os.environ[NO_GRPC_PROXY] == "example.org,10.0.0.0/8,localhost,127.0.0.0/8,127.0.0.1,::1,[::1]"


def test_what_cannot_be_listened_on_is_one_line() -> None:
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"^127\.0\.0\.1:{port} can't be .*: name a free port with --p,"):
            listening("127.0.0.1", port, "--p")
    for host in ("no.such.host.invalid", "a" * 64 + ".org", "a..b", "203.0.113.7", "fe80::1%nothing"):
        with pytest.raises(UserError, match=r"can't be listened on \(.+\): .* name an address of this machine as host"):
            listening(host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "0.0.0.0", "::"])
def test_addresses_of_both_kinds_are_listened_on(host: str) -> None:
    with listening(host, 0) as found:
        reached = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::1]": "::1"}.get(host, host)
        socket.create_connection((reached, found.getsockname()[1]), timeout=10).close()
