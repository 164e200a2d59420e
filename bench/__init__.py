"""Timings and memory, measured: nothing here is needed to use or to test hicmd_tf."""

import hicmd_tf  # noqa: F401 (what it sets up for commands)
