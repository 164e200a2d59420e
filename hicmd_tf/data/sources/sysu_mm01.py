"""SYSU-MM01 (Wu et al., ICCV 2017): 491 people before four visible cameras (1, 2, 4, 5) and two near-infrared (3, 6).

DIR/cam1/0001/0001.jpg .. DIR/cam6, DIR/exp/{train,val,test}_id.txt with identities between commas. By rand_perm_cam.mat
its authors choose galleries.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.config.kinds import EMBEDDING, HICMD
from hicmd_tf.config.schema import DataConfig
from hicmd_tf.data.labels import shown
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import Direction, Search, asking, one_each, strangers
from hicmd_tf.data.sources.data_set import DataSet
from hicmd_tf.data.sources.records import Listing, Record, checked, existing, numbers, read_pictures
from hicmd_tf.data.sources.walking import walked
from hicmd_tf.errors import UserError, counted
from hicmd_tf.notation import INFRARED, VISIBLE

Array = np.ndarray[Any, Any]
Permutations = dict[tuple[int, int], Array]
"""For (camera, identity) ten permutations (10, n) of 1 .. n."""

NAME = re.compile(r"cam(?P<camera>[1-6])/(?P<identity>\d{4})/[^/]+", re.ASCII)
VISIBLE_CAMERAS, INFRARED_CAMERAS = (1, 2, 4, 5), (3, 6)
SPLITS = ("train", "val", "test")
MODES = {"all": VISIBLE_CAMERAS, "indoor": (1, 2)}
"""Cameras of the galleries, by the search's name."""
SHOTS = {1: "single-shot", 10: "10-shot"}
TRIALS = 10
PERMUTATIONS = "rand_perm_cam"  # the file's name, and that of the variable in it


class SysuMM01(DataSet):
    """Queries are infrared; one by camera 3 sees nothing of camera 2, which stands in the same place."""

    name = "sysu_mm01"
    layout = "cam1/ to cam6/ and exp/ with train_id.txt, val_id.txt and test_id.txt"
    obtained = "SYSU-MM01 is to be had from its authors (github.com/wuancong/SYSU-MM01), on request"
    protocol = "sysu"
    configurations = {EMBEDDING: "strong_sysu_mm01", HICMD: "sysu_mm01"}  # noqa: RUF012 (constant)
    counts = {  # noqa: RUF012 (constant)
        ("train", VISIBLE): (296, 20284),
        ("train", INFRARED): (296, 9929),
        ("val", VISIBLE): (99, 1974),
        ("val", INFRARED): (99, 1980),
        ("test", VISIBLE): (96, 6775),
        ("test", INFRARED): (96, 3803),
    }
    cameras = {VISIBLE: VISIBLE_CAMERAS, INFRARED: INFRARED_CAMERAS}  # noqa: RUF012 (constant)
    permuted = True

    def listing(self, folder: Path, trial: int, pattern: str) -> Listing:
        """All pictures of the identities of each list."""
        lists = (f"exp/{split}_id.txt" for split in SPLITS)
        existing(folder, *(f"cam{camera}" for camera in range(1, 7)), *lists, advice=self.advice)
        people = {split: set(numbers(folder / f"exp/{split}_id.txt")) for split in SPLITS}
        found = [_record(one) for one in map(NAME.fullmatch, walked(folder).pictures) if one]
        splits = {split: [record for record in found if record.identity in people[split]] for split in SPLITS}
        for split, of in people.items():
            unseen = of - {record.identity for record in splits[split]}
            if unseen:
                raise UserError(
                    f"{folder}: identity {min(unseen)} of exp/{split}_id.txt has no picture by any camera "
                    f"({counted(len(unseen), 'such identity')}): copy the whole data set there"
                )
        return checked(folder, Listing(splits))

    def galleries(self, samples: Samples, permutations: Path | None) -> Iterator[Search]:
        """All-search and indoor-search, by the authors' permutations, where there are some, and as Python code does."""
        permuted = read_permutations(permutations) if permutations else None
        direction, queries = Direction(INFRARED, VISIBLE), asking(samples, INFRARED)
        beside = [one_each(samples, samples.infrared, trial) for trial in range(TRIALS)]
        for mode, cameras in MODES.items():
            among = np.isin(samples.cameras, cameras)
            choices = {"single-shot, python": [one_each(samples, among, trial) for trial in range(TRIALS)]}
            if permuted is not None:
                official = {
                    f"{named}, official": [
                        official_gallery(samples, permuted, cameras, shots, trial) for trial in range(TRIALS)
                    ]
                    for shots, named in SHOTS.items()
                }
                choices = official | choices
            for choice, galleries in choices.items():
                setting = f"{mode}-search, {choice} galleries"
                yield Search(setting, direction, self.protocol, queries, galleries, beside)

    def published(self, config: DataConfig, samples: Samples, permutations: Path | None = None) -> list[Search]:
        """Held-out identities are of the training set, which has no permutations."""
        official = None if config.held_out else permutations or find_permutations(Path(config.source))
        return self.searches(samples, official)

    def remarks(self, folder: Path, listings: Mapping[int, Listing]) -> Iterator[str]:
        """The test's pictures must be those of the permutations, where the folder has them."""
        yield from super().remarks(folder, listings)
        self.searches(read_pictures(folder, listings[1].splits["test"]), find_permutations(folder))


def _record(found: re.Match[str]) -> Record:
    camera = int(found["camera"])
    return Record(found[0], int(found["identity"]), VISIBLE if camera in VISIBLE_CAMERAS else INFRARED, camera)


def official_gallery(
    samples: Samples, permutations: Permutations, cameras: tuple[int, ...], shots: int, trial: int
) -> Array:
    """The authors' choice: camera by camera, identity by identity, the first entries of a row of the permutations.

    trial: 0 to 9. Raises UserError when the permutations are of other pictures.
    """
    rows = []
    for camera in cameras:
        for identity in np.unique(samples.identities[samples.known]).tolist():
            own = np.flatnonzero((samples.cameras == camera) & (samples.identities == identity))
            if not len(own):
                continue
            chosen = permutations.get((camera, identity), np.empty((TRIALS, 0), np.int64))
            if chosen.shape[1] != len(own):
                raise UserError(
                    f"{PERMUTATIONS}.mat knows {chosen.shape[1]} pictures of identity "
                    f"{shown(identity, samples.texts)} by camera {camera}, the data set has {len(own)}: take the whole "
                    "data set, without skipping any, and the file of it"
                )
            rows.append(own[chosen[trial, :shots] - 1])
    return np.concatenate([*rows, strangers(samples, np.isin(samples.cameras, cameras))])


def find_permutations(source: Path) -> Path | None:
    """Where a SYSU-MM01 folder has them, if it does."""
    places = (source / below / f"{PERMUTATIONS}.mat" for below in ("exp", "data_split", ""))
    return next((place for place in places if place.is_file()), None)


def read_permutations(file: Path) -> Permutations:
    """The permutations of a file. Raises UserError for a file that is missing or something else."""
    from scipy.io import loadmat

    try:
        return dict(_permutations(loadmat(str(file), variable_names=[PERMUTATIONS])[PERMUTATIONS]))
    except Exception as error:  # scipy raises many kinds for damaged files
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(
            f"{file} can't be read as SYSU-MM01's permutations ({reason}): take {PERMUTATIONS}.mat from "
            "github.com/wuancong/SYSU-MM01"
        ) from error


def _permutations(cells: Array) -> Iterator[tuple[tuple[int, int], Array]]:
    for camera, of_camera in enumerate(cells.ravel(), 1):
        for identity, cell in enumerate(of_camera.ravel(), 1):
            if not cell.size:
                continue
            rows = cell.astype(np.int64)
            if rows.ndim != 2 or len(rows) != TRIALS or not (np.sort(rows) == 1 + np.arange(rows.shape[1])).all():
                raise ValueError(f"what it has of camera {camera}, identity {identity} are not {TRIALS} permutations")
            yield (camera, identity), rows
