"""The process behind `encode.encode_all`: a JSON order on standard input, pictures as `encode.packed` on standard
output."""

import json
import sys

from hicmd_tf.config.schema import SyntheticConfig
from hicmd_tf.drawn_people.encode import encode, packed


def main() -> None:
    """Draws the ordered pictures."""
    order = json.load(sys.stdin)
    config, size = SyntheticConfig(**order["config"]), tuple(order["size"])
    sys.stdout.buffer.write(packed([encode(config, size, tuple(request)) for request in order["requests"]]))


if __name__ == "__main__":
    main()
