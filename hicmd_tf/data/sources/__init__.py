"""The data sets by name, in the order in which commands list them: one object each (`data_set.DataSet`)."""

from hicmd_tf.data.sources.data_set import DataSet
from hicmd_tf.data.sources.folder import Folder
from hicmd_tf.data.sources.llcm import LLCM
from hicmd_tf.data.sources.records import Listing, Record
from hicmd_tf.data.sources.regdb import RegDB
from hicmd_tf.data.sources.synthetic_vi import SyntheticVi
from hicmd_tf.data.sources.sysu_mm01 import SysuMM01

DATA_SETS: dict[str, DataSet] = {one.name: one for one in (SyntheticVi(), RegDB(), SysuMM01(), LLCM(), Folder())}

__all__ = ["DATA_SETS", "DataSet", "Listing", "Record", "in_folders"]


def in_folders() -> list[str]:
    """Names of the data sets that lie in a folder."""
    return [name for name, one in DATA_SETS.items() if not one.drawn]
