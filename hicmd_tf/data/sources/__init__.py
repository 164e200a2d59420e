"""Which pictures a data set has, read from the folders and lists that its authors hand out (imports no TensorFlow)."""

from hicmd_tf.data.sources.catalogue import SOURCES, Source, read
from hicmd_tf.data.sources.records import Listing, Record

__all__ = ["SOURCES", "Listing", "Record", "Source", "read"]
