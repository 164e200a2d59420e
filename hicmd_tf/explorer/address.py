"""Where the page is: on this machine and nowhere else."""

import socket

from hicmd_tf.errors import UserError

HOST = "127.0.0.1"


def listening(port: int) -> socket.socket:
    """A socket of a port of this machine; 0: any free one. Raises UserError when it is taken."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was left a moment ago is free
    try:
        found.bind((HOST, port))
        found.listen()
    except OSError as error:
        raise UserError(f"{HOST}:{port} can't be listened on ({error.strerror}): name a free --port") from error
    return found
