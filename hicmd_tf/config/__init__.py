"""Configurations: YAML files with one source of defaults, checked as a whole before use."""

from hicmd_tf.config.loading import dump, flattened, from_dict, load, load_stored, to_dict, with_data, with_values
from hicmd_tf.config.schema import Config
from hicmd_tf.config.validation import value_of

__all__ = [
    "Config",
    "dump",
    "flattened",
    "from_dict",
    "load",
    "load_stored",
    "to_dict",
    "value_of",
    "with_data",
    "with_values",
]
