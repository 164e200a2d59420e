"""LLCM (Zhang and Wang, CVPR 2023): 1,064 people before nine visible and eight near-infrared cameras, at low light.

DIR/vis/ID/*.jpg, DIR/nir/ID/*.jpg, DIR/idx/{train,test}_{vis,nir}.txt with one path and one label per line. A file's
name has its identity and camera: 0891_c06_s183650_f2130_nir.jpg.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import DIRECTIONS, Search, asking, one_each
from hicmd_tf.data.sources.data_set import DataSet
from hicmd_tf.data.sources.records import Listing, from_lists
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality

FOLDERS: dict[Modality, str] = {VISIBLE: "vis", INFRARED: "nir"}
PLACE = re.compile(r"(?P<identity>\d{1,9})/(?P=identity)_c(?P<camera>\d{1,9})_[^/]+", re.ASCII)
TRIALS = 10  # galleries


class LLCM(DataSet):
    """A query sees none of its person by its own camera's number; galleries are one picture per person and camera."""

    name = "llcm"
    layout = "vis/, nir/ and idx/ with the lists"
    obtained = "LLCM is to be had from its authors (github.com/ZYK100/LLCM), on request"
    protocol = "llcm"
    counts = {  # noqa: RUF012 (constant)
        ("train", VISIBLE): (713, 16946),
        ("train", INFRARED): (713, 13975),
        ("test", VISIBLE): (351, 8680),
        ("test", INFRARED): (351, 7166),
    }
    cameras = dict.fromkeys(MODALITIES, tuple(range(1, 10)))

    def listing(self, folder: Path, trial: int, pattern: str) -> Listing:
        """The pictures of the lists."""
        return from_lists(folder, FOLDERS, "idx/{split}_{folder}.txt", PLACE, self.advice)

    def galleries(self, samples: Samples, permutations: Path | None) -> Iterator[Search]:
        """Its authors' choice: random.seed(trial), then for every identity and camera of a modality random.choice."""
        for direction in DIRECTIONS:
            among = samples.infrared == (direction.gallery == INFRARED)
            galleries = [one_each(samples, among, trial) for trial in range(TRIALS)]
            beside = [one_each(samples, ~among, trial) for trial in range(TRIALS)]
            queries = asking(samples, direction.query)
            yield Search("one picture per camera", direction, self.protocol, queries, galleries, beside)
