"""Descriptors for TensorBoard's projector: points with their pictures, coloured by what is known of each."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tensorboard.plugins import projector

from hicmd_tf.data.labels import column
from hicmd_tf.data.pictures import decoded
from hicmd_tf.data.samples import Samples
from hicmd_tf.files import write_text
from hicmd_tf.pictures.sheet import save_png

Array = np.ndarray[Any, Any]

LARGEST = 1000  # points; the projector's own t-SNE is slow beyond
THUMBNAIL = 32, 64  # pixels, width and height


def spread_out(samples: Samples, most: int = LARGEST) -> Array:
    """Rows of at most so many pictures: all of some people, evenly chosen."""
    people, counts = np.unique(samples.identities, return_counts=True)
    share = min(1.0, most / counts.sum())
    chosen = people[np.linspace(0, len(people) - 1, max(1, int(share * len(people)))).round().astype(int)]
    return np.flatnonzero(np.isin(samples.identities, chosen))[:most]


class Projector:
    """What TensorBoard's projector shows of a run: always the newest descriptors.

    samples: the pictures that descriptors come of.
    """

    def __init__(self, tensorboard: Path, samples: Samples) -> None:
        self.rows = spread_out(samples)
        width, height = THUMBNAIL
        pictures = decoded(samples.select(self.rows), height, width)
        self.folder = tensorboard / "projector"
        write_text(self.folder / "metadata.tsv", _table(_known(samples.select(self.rows))))
        save_png(_sprite(pictures), self.folder / "pictures.png")
        config = projector.ProjectorConfig()
        points = config.embeddings.add(tensor_name="descriptors", tensor_path="projector/descriptors.tsv")
        points.metadata_path = "projector/metadata.tsv"
        points.sprite.image_path = "projector/pictures.png"
        points.sprite.single_image_dim.extend(THUMBNAIL)
        write_text(tensorboard / "projector_config.pbtxt", str(config))

    def update(self, descriptors: Array) -> None:
        """Shows these, (N, E), one for each sample, from now on."""
        rows = [[f"{value:.6g}" for value in row] for row in descriptors[self.rows]]
        write_text(self.folder / "descriptors.tsv", _table(rows))


def _known(samples: Samples) -> list[list[str]]:
    columns: dict[str, Any] = {
        "identity": column(samples.identities, samples.texts),
        "modality": [samples.modality(row) for row in range(len(samples))],
        "camera": column(samples.cameras, samples.texts),
        **{name: [f"{value:.3f}" for value in values] for name, values in samples.factors.items()},
        "name": [" ".join(name.split()) for name in samples.names],  # a tab would be another column
    }
    return [list(columns), *([str(value) for value in row] for row in zip(*columns.values(), strict=True))]


def _table(rows: list[list[str]]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


def _sprite(pictures: Array) -> Image.Image:
    """Thumbnails row by row in a square."""
    side = int(np.ceil(np.sqrt(len(pictures))))
    sheet = Image.new("RGB", (side * THUMBNAIL[0], side * THUMBNAIL[1]))
    for number, picture in enumerate(pictures):
        row, column = divmod(number, side)
        sheet.paste(Image.fromarray(picture), (column * THUMBNAIL[0], row * THUMBNAIL[1]))
    return sheet
