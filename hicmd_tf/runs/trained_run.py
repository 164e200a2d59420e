"""A run with the pictures it is judged by, and what its networks make of them: what every figure is made from."""

import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from hicmd_tf.attributes import AttributeLayout
from hicmd_tf.config import Config
from hicmd_tf.data.datasets import load, published
from hicmd_tf.data.pictures import decoded
from hicmd_tf.data.samples import DataSplits, Samples
from hicmd_tf.data.searches import Search
from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.errors import UserError
from hicmd_tf.interface import Model
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.notation import INFRARED, MODALITIES, Modality
from hicmd_tf.retrieval.embed import descriptors
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.restore import Restored, restored_networks
from hicmd_tf.training.experiment import evaluated, set_up_tensorflow

Array = np.ndarray[Any, Any]


class TrainedRun:
    """folder: of the run. config: of it. model: its networks. data: all its pictures by split. samples: the pictures of
    the people that its figures are computed on, sorted by name, unknown people among them."""

    def __init__(
        self, folder: RunFolder, config: Config, model: Model, data: DataSplits, samples: Samples | None = None
    ) -> None:
        """samples: None for all of those that the configuration's figures are computed on."""
        self.folder, self.config, self.model, self.data = folder, config, model, data
        self.samples = evaluated(config, data) if samples is None else samples
        for m in MODALITIES:
            if not len(self.samples.of(m)):
                raise UserError(
                    f"{folder.path}: no picture of the people to test is {m}: nothing can be looked up across "
                    f"modalities; add {m} pictures, or choose another split by data.trial"
                )

    @classmethod
    def open(cls, path: Path) -> "TrainedRun":
        """The run in a folder, with its newest checkpoint. Raises UserError when there is none, or no data."""
        folder = RunFolder(path)
        config = folder.open()
        set_up_tensorflow(config)
        restored = restored_networks(folder)
        return cls(folder, config, Model(restored), load(config.data))

    @cached_property
    def untrained(self) -> "TrainedRun | None":
        """The same with the initial weights that the run began from; None for weights that came from elsewhere, and
        with a warning where their file is gone."""
        if not self.folder.untrained.is_file():
            return None
        keras.utils.set_random_seed(self.config.seed)
        try:
            networks = build_networks(self.config.networks, self.model.networks.features.head.sizes["classes"])
        except UserError as error:
            warnings.warn(f"left out, the run's initial weights: {error}", stacklevel=1)
            return None
        return TrainedRun(self.folder, self.config, Model(Restored(self.config, networks, 0)), self.data, self.samples)

    @cached_property
    def known(self) -> "TrainedRun":
        """The same with the pictures of known people only: of others nobody knows who is the same and who is not."""
        if self.samples.known.all():
            return self
        return TrainedRun(self.folder, self.config, self.model, self.data, self.samples.select(self.samples.known))

    @property
    def layout(self) -> AttributeLayout:
        """Which entries of an attribute code are style, pose and illumination."""
        return self.model.networks.layout

    def rows(self, modality: Modality) -> Array:
        """Numbers of the samples of one modality."""
        return np.flatnonzero(self.samples.infrared == (modality == INFRARED))

    def pictures(self, rows: Array, samples: Samples | None = None) -> Array:
        """Pictures (N, H, W, 3) uint8 in the run's size, of its samples or of others."""
        return decoded((samples or self.samples).select(np.asarray(rows)), self.model.height, self.model.width)

    @cached_property
    def descriptors(self) -> Array:
        """Descriptors (N, E) of length 1, one for each sample."""
        describer = HiCMD(self.model.networks, self.config)
        batch = self.config.training.embed_batch
        return descriptors(describer, self.samples, self.model.height, self.model.width, batch)

    def codes(self, rows: Array, samples: Samples | None = None) -> dict[str, Array]:
        """`Model.dissect` of rows of the samples, or of others, each through the encoders of its own modality."""
        chosen = (samples or self.samples).select(np.asarray(rows))
        found: dict[str, Array] = {}
        for m in MODALITIES:
            of_modality = np.flatnonzero(chosen.infrared == (m == INFRARED))
            if not len(of_modality):
                continue
            for name, part in self.model.dissect(self.pictures(of_modality, chosen), m).items():
                found.setdefault(name, np.empty((len(chosen), part.shape[1]), part.dtype))[of_modality] = part
        return found

    @cached_property
    def searches(self) -> list[Search]:
        """Who is looked up among whom, as the data set's published tables have it."""
        return published(self.config.data, self.samples)
