"""Pictures and files of descriptors as what a gallery takes: part by part, so that a kill loses little."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.labels import UNKNOWN, Texts, number, texts_of
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources import Record
from hicmd_tf.data.sources.paths import person_of
from hicmd_tf.errors import UserError
from hicmd_tf.notation import Modality
from hicmd_tf.search.entries import Entry

Array = np.ndarray[Any, Any]

PART = 256  # pictures


class Described(NamedTuple):
    """descriptors (N, D), one for each of the entries."""

    descriptors: Array
    entries: list[Entry]


class Model:
    """A run's descriptors. digest: of its weights. length: of a descriptor. sixteen_bit: the run's setting."""

    def __init__(self, run: Path) -> None:
        from hicmd_tf.training.hicmd import HiCMD
        from hicmd_tf.training.restore import restored_networks
        from hicmd_tf.training.run_folder import RunFolder

        self._config, networks, _ = restored_networks(RunFolder(run))
        self.digest = networks.digest()
        self.length = self._config.networks.feature_learning.embedding
        self.sixteen_bit = self._config.data.sixteen_bit
        self._model = HiCMD(networks, self._config)

    def usable(self, samples: Samples) -> Samples:
        """The pictures that can be described, as the run's data.check says. Raises UserError naming one that can't."""
        from hicmd_tf.data.usable import usable

        return usable(samples, self._config.data.check)

    def describe(self, samples: Samples) -> Array:
        """Descriptors (N, D) of pictures that can be used."""
        from hicmd_tf.retrieval.embed import descriptors

        data, batch = self._config.data, self._config.training.embed_batch
        return descriptors(self._model, samples, data.height, data.width, batch)


def described_folder(
    model: Model, folder: Path, records: Sequence[Record], time: float | None = None, texts: Texts | None = None
) -> Iterator[Described]:
    """The pictures of records below a folder, a part at a time. texts: of their identities and cameras. time: of all of
    them; None: when each file changed."""
    from hicmd_tf.data.sources.reading import read_pictures

    for start in range(0, len(records), PART):
        samples = model.usable(read_pictures(folder, records[start : start + PART], texts, model.sixteen_bit))
        paths = [str((folder / name).absolute()) for name in samples.names]
        times = [Path(path).stat().st_mtime if time is None else time for path in paths]
        if len(samples):
            yield Described(model.describe(samples), entries_of(samples, paths, times))


def described_pictures(model: Model, files: Sequence[Path], modality: Modality) -> Described:
    """Single pictures; whom they show is what their paths say, where a folder is named after a modality. Raises
    UserError, also for one that can't be used: what is asked for is never left out."""
    from hicmd_tf.data.usable import usable
    from hicmd_tf.pictures.bounds import content

    people = [person_of(file) for file in files]
    samples = Samples(
        [content(file) for file in files],
        [str(file) for file in files],
        np.array([number(person) if person else UNKNOWN for person in people], np.int64),
        np.full(len(files), modality == "infrared"),
        np.zeros(len(files), np.int64),
        texts=texts_of(person for person in people if person),
        sixteen_bit=model.sixteen_bit,
    )
    described = model.describe(usable(samples, "stop"))
    return Described(described, entries_of(samples, samples.names, [0.0] * len(files)))


def entries_of(samples: Samples, paths: Sequence[str], times: Sequence[float]) -> list[Entry]:
    """What is known of each picture."""
    columns = zip(paths, samples.identities.tolist(), samples.cameras.tolist(), times, strict=True)
    return [
        Entry(path, identity, camera, samples.modality(row), time)
        for row, (path, identity, camera, time) in enumerate(columns)
    ]


def stored(file: Path, time: float) -> tuple[str, Described]:
    """What `hicmd_tf.extract` wrote: which model described, and what. Raises UserError for anything else."""
    from hicmd_tf.retrieval.stored import read_descriptors

    descriptors, samples, model = read_descriptors(file)
    if not len(samples):
        raise UserError(f"{file} has no descriptors, expected at least one")
    return model, Described(descriptors, entries_of(samples, samples.names, [time] * len(samples)))
