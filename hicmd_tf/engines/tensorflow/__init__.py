"""The TensorFlow engine: tapes, fast kernels, recomputation, replicas."""
