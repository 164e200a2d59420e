"""A gallery of descriptors kept on disk, or on a Milvus server, and searched."""

from hicmd_tf.search.asking import Answer, Store, look_up
from hicmd_tf.search.entries import Entry, Hit, Selection
from hicmd_tf.search.gallery import Gallery

__all__ = ["Answer", "Entry", "Gallery", "Hit", "Selection", "Store", "look_up"]
