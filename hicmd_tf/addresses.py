"""Addresses of servers: how they are written, which are this machine, and sockets that listen.

What goes to this machine goes there directly: a proxy that the environment names for other machines knows nothing of
servers here, and answers in their place.
"""

import errno
import ipaddress
import os
import socket

from hicmd_tf.errors import UserError

NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})
DIRECT = ("localhost", "127.0.0.0/8", "127.0.0.1", "::1", "[::1]")
"""This machine as gRPC's own exceptions from proxies name it."""
NO_GRPC_PROXY, NO_PROXY = "no_grpc_proxy", "no_proxy"


def is_this_machine(host: str) -> bool:
    """Whether a host (without brackets) is a loopback address, in any spelling, or the address of every interface."""
    name = host.strip("[]").rstrip(".").lower()
    if name in NAMES or name.endswith(".localhost"):
        return True
    try:
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(name)
    except ValueError:
        try:
            address = ipaddress.IPv4Address(socket.inet_aton(name))  # 127.1 and its like
        except (OSError, ValueError):
            return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def go_direct(*hosts: str) -> None:
    """Has gRPC, in this process and those that it starts, ask this machine without a proxy, whichever library calls it.

    hosts: further spellings of this machine's address; those that are other machines' are left to the proxy.
    """
    said = os.environ.get(NO_GRPC_PROXY) or os.environ.get(NO_PROXY) or os.environ.get(NO_PROXY.upper(), "")
    own = [spelling for host in hosts if is_this_machine(host) for spelling in (host, bracketed(host))]
    given = [part.strip() for part in said.split(",") if part.strip()]
    os.environ[NO_GRPC_PROXY] = ",".join(dict.fromkeys([*given, *DIRECT, *own]))


def bracketed(host: str) -> str:
    """A host as it stands before a port: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def bound(host: str, port: int, option: str = "--port") -> socket.socket:
    """A socket bound to an address, not yet listening. port: 0 for any free one. option: by which a port is given.

    Raises UserError for a host that is none of this machine's, a port that is taken, and one that needs more rights.
    """
    try:
        if not host:
            raise OSError(errno.EADDRNOTAVAIL, "the host is empty")
        family, kind, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was left a moment ago is free
            found.bind(address)
        except OSError:
            found.close()
            raise
    except (OSError, UnicodeError) as error:
        raise refused(error, host, port, option) from error
    return found


def refused(error: OSError | UnicodeError, host: str, port: int, option: str = "--port") -> UserError:
    """What to say of an address that can't be listened on."""
    advice = f"name a free port with {option}"
    if isinstance(error, socket.gaierror | UnicodeError) or error.errno == errno.EADDRNOTAVAIL:
        advice = "name an address of this machine as host, such as 127.0.0.1 or ::1"
    elif error.errno == errno.EACCES:
        advice = f"name a port from 1024 on with {option}, which needs no further rights"
    reason = getattr(error, "strerror", None) or "nothing is called so"
    return UserError(f"{bracketed(host)}:{port} can't be listened on ({reason}): {advice}")
