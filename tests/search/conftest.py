"""Importing pymilvus configures logging anew, which makes absl's handler close the stream that it has. That must not be
the one by which pytest captures a test's output: so it is imported here, before any test."""

import contextlib

with contextlib.suppress(ImportError):
    import pymilvus  # noqa: F401
