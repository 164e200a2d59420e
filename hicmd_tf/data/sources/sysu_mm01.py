"""SYSU-MM01 (Wu et al., ICCV 2017): 491 people before four visible cameras (1, 2, 4, 5) and two near-infrared (3, 6).

DIR/cam1/0001/0001.jpg .. DIR/cam6, DIR/exp/{train,val,test}_id.txt with identities between commas. By rand_perm_cam.mat
its authors choose galleries; it is read without trusting it.
"""

import itertools
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hicmd_tf.config.schema import DataConfig
from hicmd_tf.data.labels import shown
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import Direction, Search, asking, one_each, strangers
from hicmd_tf.data.sources.data_set import DataSet
from hicmd_tf.data.sources.records import Listing, Record, checked, existing, numbers
from hicmd_tf.data.sources.walking import pictures
from hicmd_tf.errors import UserError, some
from hicmd_tf.notation import INFRARED, VISIBLE

Array = np.ndarray[Any, Any]
Permutations = dict[tuple[int, int], Array]
"""For (camera, identity) ten permutations (10, n) of 1 .. n."""

VISIBLE_CAMERAS, INFRARED_CAMERAS = (1, 2, 4, 5), (3, 6)
CAMERAS = range(1, 7)
SPLITS = ("train", "val", "test")
MODES = {"all": VISIBLE_CAMERAS, "indoor": (1, 2)}
"""Cameras of the galleries, by the search's name."""
SHOTS = (1, 10)
TRIALS = 10

PERMUTATIONS = "rand_perm_cam.mat"
NAME = "rand_perm_cam"  # of the variable in it
LARGEST = 64 << 20  # bytes, as they lie and inflated; the authors' file has 0.3 MB and inflates to 0.6
HEAD, ELEMENT, COMPRESSED = 128, 8, 15  # of MATLAB's format 5: bytes before the elements and of one's head, its type


class SysuMM01(DataSet):
    """Queries are infrared; one by camera 3 sees nothing of camera 2, which stands in the same place."""

    name = "sysu_mm01"
    layout = "cam1/ to cam6/ and exp/ with train_id.txt, val_id.txt and test_id.txt"
    obtained = "SYSU-MM01 is to be had from its authors (github.com/wuancong/SYSU-MM01), on request"
    protocol = "sysu"
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
        cameras, lists = [f"cam{camera}" for camera in CAMERAS], [f"exp/{split}_id.txt" for split in SPLITS]
        existing(folder, *cameras, advice=self.advice)
        for file in lists:
            matlab = Path(file).with_suffix(".mat").as_posix()
            instead = f"the text file with the same numbers as {matlab}, " if (folder / matlab).exists() else ""
            existing(folder, file, advice=f"{instead}{self.advice}")
        people = {split: numbers(folder / file) for split, file in zip(SPLITS, lists, strict=True)}
        splits = {
            split: [record for identity in people[split] for record in _records(folder, identity)] for split in SPLITS
        }
        listing = checked(folder, splits)
        for split, file in zip(SPLITS, lists, strict=True):
            unseen = set(people[split]) - {record.identity for record in splits[split]}
            if unseen:
                raise UserError(
                    f"{folder}: identity {min(unseen)} of {file} has no picture by any camera ({len(unseen)} such "
                    "identities): copy the whole data set there"
                )
        return listing

    def galleries(self, samples: Samples, permutations: Path | None) -> Iterator[Search]:
        """All-search and indoor-search, by the authors' permutations, where there are some, and as Python code does."""
        permuted = read_permutations(permutations) if permutations else {}
        queries = asking(samples, INFRARED)
        for mode, cameras in MODES.items():
            choices = {
                f"{'single-shot' if shots == 1 else f'{shots}-shot'}, official": [
                    official_gallery(samples, permuted, cameras, shots, trial) for trial in range(TRIALS)
                ]
                for shots in (SHOTS if permuted else ())
            }
            among = np.isin(samples.cameras, cameras)
            choices["single-shot, python"] = [one_each(samples, among, trial) for trial in range(TRIALS)]
            for setting, galleries in choices.items():
                setting = f"{mode}-search, {setting} galleries"
                yield Search(setting, Direction(INFRARED, VISIBLE), self.protocol, queries, galleries)

    def published(self, config: DataConfig, samples: Samples, permutations: Path | None = None) -> list[Search]:
        """Held-out identities are of the training set, which has no permutations."""
        official = None if config.held_out else permutations or find_permutations(Path(config.source))
        return self.searches(samples, official)

    def remarks(self, folder: Path, listings: Mapping[int, Listing]) -> Iterator[str]:
        """The numbers of pictures must be those of the permutations, where the folder has them."""
        yield from super().remarks(folder, listings)
        file = find_permutations(folder)
        wrong = miscounted(listings[1], read_permutations(file)) if file else []
        if wrong:
            raise UserError(f"{folder}: {some(wrong, 1)}, by {file}: copy the whole data set there")


def _records(folder: Path, identity: int) -> list[Record]:
    return [
        Record(
            f"cam{camera}/{identity:04d}/{file.name}",
            identity,
            VISIBLE if camera in VISIBLE_CAMERAS else INFRARED,
            camera,
        )
        for camera in CAMERAS
        for file in pictures(folder / f"cam{camera}" / f"{identity:04d}")
    ]


def official_gallery(
    samples: Samples, permutations: Permutations, cameras: tuple[int, ...], shots: int, trial: int
) -> Array:
    """The authors' choice: camera by camera, identity by identity, the first entries of a row of the permutations.

    trial: 0 to 9. Raises UserError when the permutations are of other pictures.
    """
    rows = []
    for camera in cameras:
        for identity in np.unique(samples.identities[samples.known]):
            own = np.flatnonzero((samples.cameras == camera) & (samples.identities == identity))
            if not len(own):
                continue
            chosen = permutations.get((camera, int(identity)), np.empty((0, 0), np.int64))
            if chosen.shape[:1] != (TRIALS,) or chosen.shape[1] != len(own):
                raise UserError(
                    f"{PERMUTATIONS} knows {chosen.shape[-1]} pictures of identity "
                    f"{shown(int(identity), samples.texts)} by camera {camera}, the "
                    f"data set has {len(own)}: take the whole data set, without skipping any, and the file of it"
                )
            rows.append(own[chosen[trial, :shots] - 1])
    return np.concatenate([*rows, strangers(samples, np.isin(samples.cameras, cameras))])


def miscounted(listing: Listing, permutations: Permutations) -> list[str]:
    """In words, which cameras have more or fewer pictures of a person than the permutations order."""
    found = Counter((record.camera, record.identity) for record in listing.records)
    people = sorted({record.identity for record in listing.records})
    ordered = {key: rows.shape[1] for key, rows in permutations.items()}
    return [
        f"cam{key[0]}/{key[1]:04d} holds {found[key]}, expected {ordered.get(key, 0)} pictures"
        for key in itertools.product(CAMERAS, people)
        if found[key] != ordered.get(key, 0)
    ]


def find_permutations(source: Path) -> Path | None:
    """Where a SYSU-MM01 folder has them, if it does."""
    places = (source / "exp" / PERMUTATIONS, source / "data_split" / PERMUTATIONS, source / PERMUTATIONS)
    return next((place for place in places if place.is_file()), None)


def read_permutations(file: Path) -> Permutations:
    """The permutations of a file.

    Raises UserError for a file that is missing or something else. MATLAB's objects and functions come as data, which
    nothing calls.
    """
    from scipy.io import loadmat

    try:
        _refuse_bomb(file)
        cells = loadmat(str(file), variable_names=[NAME])[NAME]
        return dict(_permutations(cells))
    except Exception as error:  # scipy raises many kinds for damaged files
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(
            f"{file} can't be read as SYSU-MM01's permutations ({reason}): take {PERMUTATIONS} from "
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


def _refuse_bomb(file: Path) -> None:
    """Raises ValueError for a file that is too long, or would be when inflated, of which no more than that is tried."""
    if file.stat().st_size > LARGEST:
        raise ValueError(f"it has more than {LARGEST >> 20} MiB")
    content = file.read_bytes()
    order: Literal["little", "big"] = "little" if content[126:128] == b"IM" else "big"
    place, left = HEAD, LARGEST
    while place + ELEMENT <= len(content):
        kind, size = (int.from_bytes(content[place + i : place + i + 4], order) for i in (0, 4))
        place += ELEMENT
        if kind == COMPRESSED:
            inflating = zlib.decompressobj()
            left -= len(inflating.decompress(content[place : place + size], left + 1))
            if left < 0:
                raise ValueError(f"it would inflate to more than {LARGEST >> 20} MiB")
        place += size
