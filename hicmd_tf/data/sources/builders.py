"""tensorflow-datasets builders of the data sets that people have in a folder. Importing this imports TensorFlow.

Pictures go in as they are, not decoded; splits are the data set's own. The folder is tfds' manual_dir.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from hicmd_tf.data.bounds import content
from hicmd_tf.data.own_info import OwnInfo
from hicmd_tf.data.sources.catalogue import SOURCES, read
from hicmd_tf.data.sources.records import Listing, Record
from hicmd_tf.notation import MODALITIES

TRIAL = "trial_"


def fingerprint(folder: Path, listing: Listing) -> str:
    """Twelve letters that change when a picture comes, goes, is written again or changes its split."""
    digest = hashlib.sha256()
    for split, records in listing.splits.items():
        for record in records:
            file = (folder / record.name).stat()
            digest.update(f"{split} {record} {file.st_size} {file.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:12]


class ListedPictures(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[misc, call-arg]
    """One record a picture: image, name, identity, modality, camera."""

    pattern = ""
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012 (tfds' own form)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "name": tfds.features.Text(),
            "identity": tfds.features.Scalar(np.int64),
            "modality": tfds.features.ClassLabel(names=MODALITIES),
            "camera": tfds.features.Scalar(np.int64),
        }
        return OwnInfo(
            builder=self,
            description=f"{self.name}: {SOURCES[self.name].layout}.",
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        folder = Path(dl_manager.manual_dir)
        config = self.builder_config
        listing = read(self.name, folder, int(config.name.removeprefix(TRIAL)) if config else 1, self.pattern)
        return {split: self._generate_examples(folder, records) for split, records in listing.splits.items()}

    def _generate_examples(self, folder: Path, records: list[Record]) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, record in enumerate(tqdm(records, f"reading {self.name}", unit="picture", leave=False)):
            yield number, {"image": content(folder / record.name), **record._asdict()}


class RegDb(ListedPictures):
    """RegDB, a config a trial."""

    name = "regdb"
    MANUAL_DOWNLOAD_INSTRUCTIONS = SOURCES[name].advice
    BUILDER_CONFIGS = [  # noqa: RUF012 (tfds' own form)
        tfds.core.BuilderConfig(name=f"{TRIAL}{trial}") for trial in range(1, SOURCES["regdb"].trials + 1)
    ]


class SysuMm01(ListedPictures):
    """SYSU-MM01."""

    name = "sysu_mm01"
    MANUAL_DOWNLOAD_INSTRUCTIONS = SOURCES[name].advice


class Llcm(ListedPictures):
    """LLCM."""

    name = "llcm"
    MANUAL_DOWNLOAD_INSTRUCTIONS = SOURCES[name].advice


class Folder(ListedPictures):
    """People's own pictures."""

    name = "folder"
    MANUAL_DOWNLOAD_INSTRUCTIONS = SOURCES[name].advice


BUILDERS: dict[str, type[ListedPictures]] = {builder.name: builder for builder in (RegDb, SysuMm01, Llcm, Folder)}
