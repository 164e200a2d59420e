"""Descriptors for TensorBoard's projector: points with their pictures, coloured by what is known of each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tensorboard.plugins import projector

from hicmd_tf.data.labels import column
from hicmd_tf.data.pictures import pictures
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
    """A run's data for TensorBoard's projector: always the newest descriptors.

    samples: the pictures that descriptors come of.
    """

    def __init__(self, tensorboard: Path, samples: Samples) -> None:
        self.rows, self.folder = spread_out(samples), tensorboard / "projector"
        shown, (width, height) = samples.select(self.rows), THUMBNAIL
        known: dict[str, Sequence[Any]] = {
            "identity": column(shown.identities, shown.texts),
            "modality": [shown.modality(row) for row in range(len(shown))],
            "camera": column(shown.cameras, shown.texts),
            **{name: [f"{value:.3f}" for value in values] for name, values in shown.factors.items()},
            "name": [" ".join(name.split()) for name in shown.names],  # a tab would be another column
        }
        self._write("metadata.tsv", [list(known), *zip(*known.values(), strict=True)])
        side = int(np.ceil(np.sqrt(len(shown))))
        sheet = Image.new("RGB", (side * width, side * height))  # thumbnails row by row in a square
        for number, picture in enumerate(pictures(shown)):
            sheet.paste(Image.fromarray(picture).resize(THUMBNAIL), (number % side * width, number // side * height))
        save_png(sheet, self.folder / "pictures.png")
        config = projector.ProjectorConfig()
        points = config.embeddings.add(tensor_name="descriptors", tensor_path="projector/descriptors.tsv")
        points.metadata_path = "projector/metadata.tsv"
        points.sprite.image_path = "projector/pictures.png"
        points.sprite.single_image_dim.extend(THUMBNAIL)
        write_text(tensorboard / "projector_config.pbtxt", str(config))

    def update(self, descriptors: Array) -> None:
        """Shows these, (N, E), one for each sample, from now on."""
        self._write("descriptors.tsv", [[f"{value:.6g}" for value in row] for row in descriptors[self.rows]])

    def _write(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        write_text(self.folder / name, "".join("\t".join(map(str, row)) + "\n" for row in rows))
