"""The data sets by name: how each is read, what it should hold, and where it is to be had."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hicmd_tf.data.sources import folder, llcm, regdb, sysu_mm01
from hicmd_tf.data.sources.records import Listing
from hicmd_tf.errors import UserError, nearest
from hicmd_tf.notation import INFRARED, VISIBLE, Modality

Counts = dict[tuple[str, Modality], tuple[int, int]]


class Source(NamedTuple):
    """reader: (folder, trial, advice) -> pictures by split; people's own take a pattern, too. layout: what the folder
    holds, in words. obtained: where.

    counts: known identities and pictures by split and modality; empty for people's own pictures. trials: how many
    splits the data set has.
    """

    reader: Callable[..., Listing]
    layout: str
    obtained: str
    counts: Counts
    trials: int

    @property
    def advice(self) -> str:
        """What to do when the folder isn't as expected."""
        return f"expected {self.layout}; {self.obtained}"


SOURCES = {
    "regdb": Source(
        regdb.read,
        "Visible/, Thermal/ and idx/ with the lists of ten splits",
        "RegDB is to be had from Dongguk University (dm.dongguk.edu), on request",
        {(split, m): (206, 2060) for split in ("train", "test") for m in (VISIBLE, INFRARED)},
        10,
    ),
    "sysu_mm01": Source(
        sysu_mm01.read,
        "cam1/ to cam6/ and exp/ with train_id.txt, val_id.txt and test_id.txt",
        "SYSU-MM01 is to be had from its authors (github.com/wuancong/SYSU-MM01), on request",
        {
            ("train", VISIBLE): (296, 20284),
            ("train", INFRARED): (296, 9929),
            ("val", VISIBLE): (99, 1974),
            ("val", INFRARED): (99, 1980),
            ("test", VISIBLE): (96, 6775),
            ("test", INFRARED): (96, 3803),
        },
        1,
    ),
    "llcm": Source(
        llcm.read,
        "vis/, nir/ and idx/ with the lists",
        "LLCM is to be had from its authors (github.com/ZYK100/LLCM), on request",
        {
            ("train", VISIBLE): (713, 16946),
            ("train", INFRARED): (713, 13975),
            ("test", VISIBLE): (351, 8680),
            ("test", INFRARED): (351, 7166),
        },
        1,
    ),
    "folder": Source(
        folder.read,
        "train/ID/visible, train/ID/infrared, and the same below test/, with pictures in each",
        "put your own pictures there",
        {},
        1,
    ),
}


def read(name: str, where: Path, trial: int = 1, pattern: str = "") -> Listing:
    """The pictures of a data set in a folder. pattern: what the paths of people's own pictures say; empty for their
    layout.

    Raises UserError for another name or trial, for a pattern that another data set is given, and as the readers do.
    """
    if name not in SOURCES:
        raise UserError(f"there is no data set {name}{nearest(name, SOURCES)}: give one of {', '.join(SOURCES)}")
    source = SOURCES[name]
    if not 1 <= trial <= source.trials:
        choices = (
            f"trials 1 to {source.trials}; choose one of them" if source.trials > 1 else "one split; leave it at 1"
        )
        raise UserError(f"trial is {trial}: {name} has {choices}")
    if pattern and name != "folder":
        raise UserError(f"a pattern is given, which is for folder: {name} has a layout of its own; leave it out")
    return source.reader(where, trial, source.advice, **({"pattern": pattern} if pattern else {}))
