"""The process behind `encode.encode_all`: a JSON order on standard input, pickled pictures on standard output."""

import json
import pickle
import sys

from hicmd_tf.config.schema import SyntheticConfig
from hicmd_tf.data.drawing.encode import encode


def main() -> None:
    """Draws the ordered pictures."""
    order = json.load(sys.stdin)
    config, size = SyntheticConfig(**order["config"]), tuple(order["size"])
    pictures = [encode(config, size, tuple(request)) for request in order["requests"]]
    sys.stdout.buffer.write(pickle.dumps(pictures))


if __name__ == "__main__":
    main()
