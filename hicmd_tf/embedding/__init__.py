"""Embedding networks: one ResNet from pictures of both modalities to descriptors, without generation.

The learned rows of the paper's Table 1, and, with today's batches, augmentation and schedule, a strong recipe
(docs/embedding.md). In `keras.ops`, for every engine.
"""
