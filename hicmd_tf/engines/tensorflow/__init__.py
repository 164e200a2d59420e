"""The TensorFlow engine: tapes, fast kernels, recomputation, replicas."""

PACKAGES = ("tensorflow",)
"""Distributions that compute."""
