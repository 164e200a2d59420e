"""Who is looked up among whom: queries and galleries of each data set's published protocol (imports no TensorFlow)."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from hicmd_tf.config.schema import DataConfig
from hicmd_tf.data.labels import shown
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources.sysu_mm01 import INFRARED_CAMERAS, VISIBLE_CAMERAS
from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED, VISIBLE, Modality
from hicmd_tf.retrieval.metrics import NOBODY
from hicmd_tf.retrieval.permutations import PERMUTATIONS, Permutations, find_permutations, read_permutations
from hicmd_tf.retrieval.protocols import ProtocolName

Array = np.ndarray[Any, Any]

TRIALS = 10
Mode = Literal["all", "indoor"]
Scheme = Literal["official", "python"]
CAMERAS: dict[str, dict[Modality, tuple[int, ...]]] = {
    "sysu_mm01": {VISIBLE: VISIBLE_CAMERAS, INFRARED: INFRARED_CAMERAS},
    "llcm": dict.fromkeys((VISIBLE, INFRARED), tuple(range(1, 10))),
}
"""Which cameras took a modality's pictures, where the protocol goes by their numbers."""
GALLERY_CAMERAS: dict[Mode, tuple[int, ...]] = {"all": (1, 2, 4, 5), "indoor": (1, 2)}
SHOTS = (1, 10)


class Direction(NamedTuple):
    """Which modality asks, and which is looked through."""

    query: Modality
    gallery: Modality

    def __str__(self) -> str:
        return f"{self.query}_to_{self.gallery}"


DIRECTIONS = Direction(VISIBLE, INFRARED), Direction(INFRARED, VISIBLE)


class Search(NamedTuple):
    """One table row's queries and galleries. setting: what to call it. queries: rows (Q,) of the samples.

    galleries: rows (G,) of the samples, one for each trial; figures are means over them.
    """

    setting: str
    direction: Direction
    protocol: ProtocolName
    queries: Array
    galleries: list[Array]


def searches(name: str, samples: Samples, permutations: Permutations | None = None) -> Iterator[Search]:
    """Every search that the data set's published tables have; `samples` are its test pictures, sorted by name.

    Pictures of unknown people are in the galleries, where a camera's or a modality's are, and no queries. permutations:
    SYSU-MM01's rand_perm_cam.mat, without which the official galleries are left out. Raises UserError when nobody is
    known, and for cameras that the data set does not have in a modality.
    """
    if not samples.known.any():
        raise UserError(NOBODY)
    _refuse_cameras(name, samples)
    if name == "sysu_mm01":
        yield from _sysu(samples, permutations)
        return
    for direction in DIRECTIONS:
        queries, everyone = asking(samples, direction.query), _rows(samples, direction.gallery)
        if name == "llcm":
            galleries = [llcm_gallery(samples, direction.gallery, trial) for trial in range(TRIALS)]
            yield Search("one picture a camera", direction, "llcm", queries, galleries)
        else:
            rules: ProtocolName = "market1501" if name == "folder" else "regdb"
            yield Search("all pictures", direction, rules, queries, [everyone])


def asking(samples: Samples, modality: Modality) -> Array:
    """Rows of the queries of a modality: pictures of known people."""
    return np.flatnonzero((samples.infrared == (modality == INFRARED)) & samples.known)


def _rows(samples: Samples, modality: Modality) -> Array:
    return np.flatnonzero(samples.infrared == (modality == INFRARED))


def _refuse_cameras(name: str, samples: Samples) -> None:
    """Refuses cameras that took no picture of a modality in a data set whose protocol goes by cameras."""
    for modality, cameras in CAMERAS.get(name, {}).items():
        rows = _rows(samples, modality)
        strange = rows[~np.isin(samples.cameras[rows], cameras)]
        if len(strange):
            named = f"{', '.join(map(str, cameras[:-1]))} and {cameras[-1]}"
            raise UserError(
                f"{samples.names[strange[0]]} is {modality} and by camera {samples.camera(strange[0])} ({len(strange)} "
                f"such pictures), {name}'s {modality} cameras are {named}: give its own cameras, or another --data"
            )


def published(data: DataConfig, samples: Samples, permutations: Path | None = None) -> list[Search]:
    """As `searches`, for a configuration's data set, with the permutations given or those that its folder has.

    Held-out identities are of the training set, which has no permutations.
    """
    official = data.name == "sysu_mm01" and not data.held_out
    file = permutations or find_permutations(Path(data.source)) if official else None
    return list(searches(data.name, samples, read_permutations(file) if file else None))


def _sysu(samples: Samples, permutations: Permutations | None) -> Iterator[Search]:
    direction = Direction(INFRARED, VISIBLE)
    queries = asking(samples, INFRARED)
    schemes: list[Scheme] = ["official", "python"] if permutations else ["python"]
    for mode, cameras in GALLERY_CAMERAS.items():
        for scheme in schemes:
            for shots in SHOTS if scheme == "official" else (1,):
                galleries = [
                    official_gallery(samples, permutations or {}, cameras, shots, trial)
                    if scheme == "official"
                    else python_gallery(samples, cameras, trial)
                    for trial in range(TRIALS)
                ]
                setting = f"{mode}-search, {'single-shot' if shots == 1 else f'{shots}-shot'}, {scheme} galleries"
                yield Search(setting, direction, "sysu", queries, galleries)


def official_gallery(
    samples: Samples, permutations: Permutations, cameras: tuple[int, ...], shots: int, trial: int
) -> Array:
    """SYSU-MM01's own choice: camera by camera, identity by identity, the first entries of a row of the permutations.

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
    return np.concatenate([*rows, _strangers(samples, np.isin(samples.cameras, cameras))])


def python_gallery(samples: Samples, cameras: tuple[int, ...], trial: int) -> Array:
    """SYSU-MM01 as most Python code chooses: random.seed(trial), then for every identity and camera random.choice."""
    return _one_each(samples, np.isin(samples.cameras, cameras), trial)


def llcm_gallery(samples: Samples, modality: Modality, trial: int) -> Array:
    """LLCM's choice: random.seed(trial), then for every identity and camera of a modality random.choice."""
    return _one_each(samples, samples.infrared == (modality == INFRARED), trial)


def _one_each(samples: Samples, among: Array, trial: int) -> Array:
    """One row for each identity and camera, in this order; files are sorted by name, as samples are."""
    draws = random.Random(trial)
    keys = list(zip(samples.identities.tolist(), samples.cameras.tolist(), strict=True))
    of: dict[tuple[int, int], list[int]] = {}
    for row in np.flatnonzero(among & samples.known).tolist():
        of.setdefault(keys[row], []).append(row)
    chosen = np.array([draws.choice(of[key]) for key in sorted(of)], np.int64)
    return np.concatenate([chosen, _strangers(samples, among)])


def _strangers(samples: Samples, among: Array) -> Array:
    """Rows of unknown people, each of whom may be another: all of them are in a gallery, after those who are known."""
    return np.flatnonzero(among & ~samples.known)
