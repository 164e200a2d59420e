"""Keras Tuner over loss weights, margin and learning rates, and the paper's ablations as a grid."""

import hicmd_tf  # noqa: F401 (what it sets up for commands)
