"""Configurations: YAML files with one source of defaults, checked as a whole before use (imports no TensorFlow)."""

from hicmd_tf.config.loading import dump, load, to_dict
from hicmd_tf.config.schema import Config
from hicmd_tf.config.validation import validate

__all__ = ["Config", "dump", "load", "to_dict", "validate"]
