"""Timings and memory, measured: nothing here is needed to use or to test hicmd_tf."""
