"""The descriptor branch as artefacts that need none of this code: SavedModel, ONNX, a server and its client."""

import hicmd_tf  # noqa: F401 (what it sets up for commands)
