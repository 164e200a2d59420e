"""Tests of JAX's engine, which `../test_jax.py` runs in a process whose Keras computes with JAX."""

import os

collect_ignore_glob = [] if os.environ.get("KERAS_BACKEND") == "jax" else ["test_*.py"]
