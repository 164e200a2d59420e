"""Drawn people as somebody's own pictures: a folder to practise on, laid out as docs/own_pictures.md has it."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import count, cycle, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from hicmd_tf.config.schema import SyntheticConfig
from hicmd_tf.drawn_people.camera import CAMERAS
from hicmd_tf.drawn_people.encode import encode_all
from hicmd_tf.drawn_people.render import camera_of
from hicmd_tf.files import making_folder, write_text
from hicmd_tf.notation import MODALITIES, Modality
from hicmd_tf.tables import as_csv

TABLE = "pictures.csv"
HEAD = ("path", "modality", "identity", "camera", "split", "time", "track")
FIRST = datetime(2026, 11, 2, 8)  # when the first picture is said to be taken


class Drawn(NamedTuple):
    """A picture's line in the table, up to its split."""

    path: str
    modality: Modality
    identity: str
    camera: int
    split: str


def write_sample_folder(
    folder: Path, people: SyntheticConfig, size: tuple[int, int], cameras: int, tracks: int = 0
) -> int:
    """Writes train/0001/visible/cam1_01.png and so on; the first half of the people trains. Returns how many pictures.

    Args:
        folder: to be made; it may be there and empty.
        people: who is drawn.
        size: height and width of the pictures in pixels.
        cameras: of each modality, 1 or 2, which take turns.
        tracks: of how many each person's pictures by one camera are, of consecutive times; 0: pictures.csv, which says
            so, isn't written.

    Raises:
        UserError: when the folder isn't empty or can't be made.
    """
    training = -(-people.identities // 2)
    requests = [
        (identity, modality, index)
        for identity in range(people.identities)
        for modality in MODALITIES
        for index in islice(_indices(people, identity, modality, cameras), people.images_per_modality)
    ]
    taken: dict[Path, int] = {}
    by_camera: dict[Path, list[Drawn]] = {}
    with making_folder(folder) as partial:
        pictures = encode_all(people, size, requests)
        for picture in tqdm(pictures, "drawing people", len(requests), unit="picture", leave=False):
            split = "train" if picture["identity"] < training else "test"
            place = partial / split / f"{picture['identity'] + 1:04d}" / picture["modality"]
            taken[place] = taken.get(place, 0) + 1
            place.mkdir(parents=True, exist_ok=True)
            file = place / f"cam{picture['camera']}_{taken[place]:02d}.png"
            file.write_bytes(picture["image"])
            who, name = f"{picture['identity'] + 1:04d}", str(file.relative_to(partial))
            drawn = Drawn(name, picture["modality"], who, picture["camera"], split)
            by_camera.setdefault(place / str(picture["camera"]), []).append(drawn)
        if tracks:
            write_text(partial / TABLE, as_csv([HEAD, *_tracked(by_camera.values(), tracks)]))
    return len(requests)


def _tracked(groups: Iterable[list[Drawn]], tracks: int) -> Iterator[tuple[object, ...]]:
    """The table's lines: each person's pictures by one camera, from 8 o'clock on one a second, a track an hour."""
    for number, drawn in enumerate(groups):
        for part, rows in enumerate(np.array_split(np.arange(len(drawn)), tracks)):
            begins = FIRST + timedelta(minutes=number, hours=part)
            for second, row in enumerate(rows.tolist()):
                one = drawn[row]
                track = f"{one.identity}-cam{one.camera}-{part + 1}"
                yield (*one, (begins + timedelta(seconds=second)).isoformat(), track)


def _indices(people: SyntheticConfig, identity: int, modality: Modality, cameras: int) -> Iterator[int]:
    """Numbers of a person's pictures whose cameras take turns."""
    unseen = count()
    for camera in cycle(CAMERAS[modality][:cameras]):
        yield next(index for index in unseen if camera_of(people, identity, modality, index) == camera.number)
