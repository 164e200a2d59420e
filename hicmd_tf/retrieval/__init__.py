"""Ranking a gallery by descriptors, and how good a ranking is."""

from hicmd_tf.retrieval.chance import chance
from hicmd_tf.retrieval.metrics import Scores, score, score_distances, summary

__all__ = ["Scores", "chance", "score", "score_distances", "summary"]
