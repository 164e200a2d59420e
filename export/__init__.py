"""The descriptor branch as artefacts that need none of this code: SavedModel, ONNX, a server and its client."""
