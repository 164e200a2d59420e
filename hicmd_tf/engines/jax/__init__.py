"""JAX's engine: the same schedule as pure functions of the state, compiled by XLA, for accelerators first of all."""

PACKAGES = ("jax", "jaxlib")
"""Distributions that compute."""
