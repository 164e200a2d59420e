"""An opened run: its folder, configuration, model and pictures, each read when it is first asked for."""

import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hicmd_tf.config import Config
from hicmd_tf.config.kinds import DATA_SETS
from hicmd_tf.errors import UserError, waiting
from hicmd_tf.notation import INFRARED, MODALITIES, Modality
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.trained import Trained, read_trained

if TYPE_CHECKING:
    from hicmd_tf.data.samples import DataSplits, Samples
    from hicmd_tf.data.searches import Search
    from hicmd_tf.retrieval.threshold import Threshold
    from hicmd_tf.runs.model import Model

Array = np.ndarray[Any, Any]


class OpenedRun:
    """A run's content, and its model's results for its pictures; opening it builds nothing to train with.

    Example:
        run = OpenedRun(Path("runs/tiny"))
        run.model.step, run.config.data.name, run.descriptors.shape
    """

    def __init__(self, path: Path | str) -> None:
        self.folder = RunFolder(Path(path))

    # Each of these raises UserError where the folder lacks it, or has it damaged.

    @cached_property
    def config(self) -> Config:
        """Its configuration, with what changed while it trained."""
        return self.folder.open()

    @cached_property
    def model(self) -> "Model":
        """The model of its newest checkpoint, computing with the run's threads and as deterministic as it."""
        from hicmd_tf.engines.chosen import set_up
        from hicmd_tf.runs.model import restored

        set_up(self.config)
        waiting(f"opening {self.folder.path}")
        return restored(self.folder, self.config)

    @cached_property
    def trained_on(self) -> Trained | None:
        """Whom it was trained on; None where the run does not say so."""
        return read_trained(self.folder.identities)

    def refuse_moved(self) -> None:
        """Raises UserError where the folder of its pictures is gone."""
        data = self.config.data
        if data.source and not DATA_SETS[data.name].drawn and not Path(data.source).is_dir():
            raise UserError(
                f"{self.folder.path} remembers that its pictures are in {data.source}, which is no folder: where they "
                f"are now says --source DIR of hicmd evaluate, reproduce and export; else move them back, or a link"
            )

    @cached_property
    def data(self) -> "DataSplits":
        """All its pictures by split."""
        from hicmd_tf.data.datasets import load
        from hicmd_tf.engines.chosen import set_up

        self.refuse_moved()
        set_up(self.config)  # which TensorFlow takes only before its first operation
        return load(self.config.data)

    @cached_property
    def samples(self) -> "Samples":
        """The pictures of the people that its figures are computed on, sorted by name, unknown people among them."""
        from hicmd_tf.data.datasets import evaluated

        samples = evaluated(self.config, self.data)
        for m in MODALITIES:
            if not len(samples.of(m)):
                raise UserError(
                    f"{self.folder.path}: no picture of the people to test is {m}: nothing can be looked up across "
                    f"modalities; add {m} pictures, or choose another split by data.trial"
                )
        return samples

    @cached_property
    def searches(self) -> "list[Search]":
        """Who is looked up among whom, as the data set's published tables have it."""
        from hicmd_tf.data.datasets import published

        return published(self.config.data, self.samples)

    @cached_property
    def descriptors(self) -> Array:
        """Descriptors (N, E) of length 1, one for each sample."""
        return self.model.descriptors(self.samples)

    @cached_property
    def threshold(self) -> "Threshold | None":
        """Of its model's similarities; None where nobody chose one, or where it was trained on since."""
        return self.folder.threshold(self.model.step)

    @cached_property
    def known(self) -> "OpenedRun":
        """The same with the pictures of known people only: of others nobody knows who is the same and who is not."""
        return self if self.samples.known.all() else self.having(samples=self.samples.select(self.samples.known))

    @cached_property
    def untrained(self) -> "OpenedRun | None":
        """The same with the initial weights that the run began from; None for weights that came from elsewhere, and
        with a warning where their file is gone."""
        if not self.folder.untrained.is_file():
            return None
        from hicmd_tf.runs.model import untrained

        try:
            return self.having(model=untrained(self.config, self.model.classes), samples=self.samples)
        except UserError as error:
            warnings.warn(f"left out, the run's initial weights: {error}", stacklevel=1)
            return None

    def having(self, **parts: Any) -> "OpenedRun":
        """The same run with other parts, such as samples=..; what is made of these is made anew."""
        other = OpenedRun(self.folder.path)
        shared = {name: self.__dict__[name] for name in ("config", "model", "data") if name in self.__dict__}
        other.__dict__.update(shared | parts)  # where cached properties keep what they found
        return other

    def rows(self, modality: Modality) -> Array:
        """Numbers of the samples of one modality."""
        return np.flatnonzero(self.samples.infrared == (modality == INFRARED))

    def pictures(self, rows: Array, samples: "Samples | None" = None) -> Array:
        """Pictures (N, H, W, 3) uint8 in the run's size, of its samples or of others."""
        from hicmd_tf.data.pictures import decoded

        return decoded((samples or self.samples).select(np.asarray(rows)), self.model.height, self.model.width)

    def codes(self, rows: Array) -> dict[str, Array]:
        """`Model.dissect` of rows of the samples, each through the encoders of its own modality."""
        chosen = self.samples.select(np.asarray(rows))
        found: dict[str, Array] = {}
        for m in MODALITIES:
            of_modality = np.flatnonzero(chosen.infrared == (m == INFRARED))
            if not len(of_modality):
                continue
            for name, part in self.model.dissect(self.pictures(of_modality, chosen), m).items():
                found.setdefault(name, np.empty((len(chosen), part.shape[1]), part.dtype))[of_modality] = part
        return found
