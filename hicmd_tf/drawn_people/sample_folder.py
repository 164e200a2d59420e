"""Drawn people as somebody's own pictures: a folder to practise on, laid out as docs/own_pictures.md has it."""

from collections.abc import Iterator
from itertools import count, cycle, islice
from pathlib import Path

from hicmd_tf.config.schema import SyntheticConfig
from hicmd_tf.drawn_people.camera import CAMERAS
from hicmd_tf.drawn_people.encode import encode_all
from hicmd_tf.drawn_people.render import camera_of
from hicmd_tf.files import making_folder
from hicmd_tf.notation import MODALITIES, Modality


def write_sample_folder(folder: Path, people: SyntheticConfig, size: tuple[int, int], cameras: int) -> int:
    """Writes train/0001/visible/cam1_01.png and so on; the first half of the people trains. Returns how many pictures.

    Args:
        folder: to be made; it may be there and empty.
        people: who is drawn.
        size: height and width of the pictures in pixels.
        cameras: of each modality, 1 or 2, which take turns.

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
    with making_folder(folder) as partial:
        for picture in encode_all(people, size, requests):
            split = "train" if picture["identity"] < training else "test"
            place = partial / split / f"{picture['identity'] + 1:04d}" / picture["modality"]
            taken[place] = taken.get(place, 0) + 1
            place.mkdir(parents=True, exist_ok=True)
            (place / f"cam{picture['camera']}_{taken[place]:02d}.png").write_bytes(picture["image"])
    return len(requests)


def _indices(people: SyntheticConfig, identity: int, modality: Modality, cameras: int) -> Iterator[int]:
    """Numbers of a person's pictures whose cameras take turns."""
    unseen = count()
    for camera in cycle(CAMERAS[modality][:cameras]):
        yield next(index for index in unseen if camera_of(people, identity, modality, index) == camera.number)
