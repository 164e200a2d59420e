"""Addresses of servers: how they are written, which are this machine, and sockets that listen.

What goes to this machine goes there directly: a proxy that the environment names for other machines knows nothing of
servers here, and answers in their place.
"""

import ipaddress
import os
import socket

from hicmd_tf.errors import UserError

LOCALHOST = "127.0.0.1"
DIRECT = "localhost,127.0.0.0/8,127.0.0.1,::1,[::1]"
"""This machine as gRPC's own exceptions from proxies name it."""
NO_GRPC_PROXY = "no_grpc_proxy"


def is_this_machine(host: str) -> bool:
    """Whether a host, an IPv6 address with or without brackets, is this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def go_direct() -> None:
    """Has gRPC, in this process and those that it starts, ask this machine without a proxy, whichever library calls it.
    Exceptions that the environment has already stay."""
    said = os.environ.get(NO_GRPC_PROXY) or os.environ.get("no_proxy")
    os.environ[NO_GRPC_PROXY] = f"{said},{DIRECT}" if said else DIRECT


def bracketed(host: str) -> str:
    """A host as it stands before a port: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def listening(host: str, port: int, option: str = "--port") -> socket.socket:
    """A socket that listens. port: 0 for any free one. option: by which a port is given, for the message.

    Raises UserError for a host that is none of this machine's, and for a port that is taken or not allowed.
    """
    try:
        family, *_, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that no DNS has
        reason = (getattr(error, "strerror", None) or "nothing is called so").partition(" (while")[0]
        raise UserError(
            f"{bracketed(host)}:{port} can't be listened on ({reason}): name a free port with {option}, "
            f"1024 or more, or name an address of this machine as host, such as 127.0.0.1"
        ) from error
