"""Which of these tests need a process whose Keras computes with JAX: `../test_jax.py` starts one."""

import os

collect_ignore = [] if os.environ.get("KERAS_BACKEND") == "jax" else ["test_engine.py", "test_kernels.py"]
