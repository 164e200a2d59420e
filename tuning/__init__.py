"""Keras Tuner over loss weights, margin and learning rates, and the paper's ablations as a grid."""
