"""Where the page is: on this machine and nowhere else."""

import socket

from hicmd_tf.addresses import bound, refused

HOST = "127.0.0.1"


def listening(port: int) -> socket.socket:
    """A socket of a port of this machine; 0: any free one. Raises UserError when it is taken."""
    found = bound(HOST, port)
    try:
        found.listen()
    except OSError as error:
        found.close()
        raise refused(error, HOST, port) from error
    return found
