"""The tensorflow-datasets builder of drawn people. Importing it imports TensorFlow."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from hicmd_tf.config.schema import SyntheticConfig
from hicmd_tf.drawn_people.encode import all_requests, encode_all
from hicmd_tf.notation import MODALITIES

SPECTRA = ("visible", "near_infrared", "thermal")
SPLIT = "people"
"""The one stored split; tfds reserves the word "all", which reads it."""


@dataclasses.dataclass(kw_only=True)
class SyntheticViConfig(tfds.core.BuilderConfig):  # type: ignore[misc]
    """Settings of the drawing; height and width in pixels. The name holds a digest of all: no two share a folder."""

    synthetic: SyntheticConfig
    height: int
    width: int


def builder_config(synthetic: SyntheticConfig, height: int, width: int) -> SyntheticViConfig:
    """The named tfds config of these settings."""
    settings = json.dumps([dataclasses.asdict(synthetic), height, width], sort_keys=True)
    digest = hashlib.sha256(settings.encode()).hexdigest()[:12]
    return SyntheticViConfig(
        name=f"{synthetic.identities}x{synthetic.images_per_modality}_{height}x{width}_{synthetic.spectrum}_{digest}",
        description=settings,
        synthetic=synthetic,
        height=height,
        width=width,
    )


class OwnInfo(tfds.core.DatasetInfo):  # type: ignore[misc]
    """Of a data set that nobody hands out prepared: nothing is looked for on a server, for which tfds would make, and
    leave, an empty folder among the temporary files each time."""

    def initialize_from_bucket(self) -> None:
        """Nothing is there."""


class SyntheticVi(tfds.core.GeneratorBasedBuilder):  # type: ignore[misc]
    """One split, `SPLIT`; identities are divided by `hicmd_tf.data.sources.synthetic_vi`."""

    # Raise it whenever the drawing, or how it is stored, changes: prepared data sets are kept by version.
    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES = {"1.1.0": "Stored so that single pictures can be read."}  # noqa: RUF012 (tfds' own form)

    builder_config: SyntheticViConfig

    def _info(self) -> tfds.core.DatasetInfo:
        size = self.builder_config.height, self.builder_config.width
        features = {
            "image": tfds.features.Image(shape=(*size, 3), encoding_format="png"),
            "name": tfds.features.Text(),
            "identity": tfds.features.Scalar(np.int64),
            "modality": tfds.features.ClassLabel(names=MODALITIES),
            "camera": tfds.features.Scalar(np.int64),
            "spectrum": tfds.features.ClassLabel(names=SPECTRA),
            **{name: tfds.features.Scalar(np.float32) for name in ("yaw", "gait_phase", "illumination")},
        }
        return OwnInfo(
            builder=self,
            description="Drawn people in visible light and in the infrared; every record carries its factors.",
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {SPLIT: self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        settings = self.builder_config
        requests = all_requests(settings.synthetic)
        pictures = encode_all(settings.synthetic, (settings.height, settings.width), requests)
        yield from enumerate(tqdm(pictures, "drawing synthetic_vi", len(requests), unit="picture", leave=False))
