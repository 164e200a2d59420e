"""synthetic_vi: people who are drawn on first use, and whose every factor is known.

They are kept in data.directory, by settings. Ten splits divide them by identity, as RegDB's do.
"""

import contextlib
import io
import logging
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from hicmd_tf.config.kinds import DRAWN, TRIALS
from hicmd_tf.config.schema import DataConfig
from hicmd_tf.data.samples import Contents, Samples
from hicmd_tf.data.sources.data_set import SPLIT_KEY, DataSet
from hicmd_tf.drawn_people.arithmetic import Array, Draws
from hicmd_tf.errors import UserError, waiting
from hicmd_tf.files import in_turn

READ_BATCH = 256
FACTORS = ("yaw", "gait_phase", "illumination")
COLUMNS = ("name", "identity", "modality", "camera", *FACTORS)


class SyntheticVi(DataSet):
    """Judged as RegDB."""

    name = DRAWN
    layout = "no folder"
    obtained = "people are drawn"
    protocol = "regdb"

    def listing(self, folder: Path, trial: int, pattern: str) -> NoReturn:
        """They lie in no folder."""
        raise UserError(f"{self.name} is drawn, and read from no folder: name another data set, or leave {folder} out")

    def everyone(self, config: DataConfig) -> Samples:
        """All of them, sorted by name. Drawn first, where they are not there yet; a preparation that was interrupted
        starts afresh."""
        from hicmd_tf.drawn_people.synthetic_vi_dataset_builder import builder_config

        synthetic = config.synthetic
        builder = _prepared(builder_config(synthetic, config.height, config.width), config.directory)
        waiting("reading drawn people")
        return _read(builder, 2 * synthetic.identities * synthetic.images_per_modality)

    def divided(self, config: DataConfig) -> tuple[Samples, Samples, Samples]:
        """Of `everyone`."""
        synthetic = config.synthetic
        identities = split_identities(
            synthetic.identities, config.test_identities, config.trial, config.held_out, synthetic.seed
        )
        samples = self.everyone(config)
        train, held_out, test = map(samples.having, identities)
        return train, held_out, test

    def people(self, config: DataConfig) -> str:
        """Another seed draws other people."""
        return f"{self.name}, seed {config.synthetic.seed}"


def split_identities(identities: int, test: int, trial: int, held_out: int, seed: int) -> tuple[Array, Array, Array]:
    """Training, held-out and test identities, ascending: of a permutation from (seed, trial) the last `test` are the
    test's, the `held_out` before them, the rest train.

    The test identities do not depend on `held_out`. Raises UserError if a number is out of range.
    """
    training = identities - test
    for name, value, low, high in (
        ("trial", trial, 1, TRIALS),
        ("test_identities", test, 1, identities - 1),
        ("held_out", held_out, 0, training - 1),
    ):
        if not low <= value <= high:
            raise UserError(
                f"data.{name} is {value}: of {identities} drawn people it can be {low} to {high}; choose so."
            )
    order = np.array(Draws(seed, trial, SPLIT_KEY).shuffled(identities), np.int64)
    train, kept, tested = np.split(order, [training - held_out, training])
    return np.sort(train), np.sort(kept), np.sort(tested)


def _prepared(settings: Any, directory: str) -> Any:
    """The builder of drawn people, who are there. tfds writes to a folder of another name and renames it at the end;
    processes that begin at once make one after the other what they share, and so once."""
    import tensorflow_datasets as tfds
    from google.protobuf.json_format import ParseError

    from hicmd_tf.drawn_people.synthetic_vi_dataset_builder import SyntheticVi

    tfds.disable_progress_bar()
    try:
        with _quiet(), in_turn(Path(directory) / f".{SyntheticVi.name}.lock") as alone:
            builder = SyntheticVi(config=settings, data_dir=directory, file_format="array_record")
            for left in Path(builder.data_dir).parent.glob("incomplete.*") if alone else ():
                shutil.rmtree(left, ignore_errors=True)  # of a preparation that was killed
            builder.download_and_prepare()
    except OSError as error:
        raise UserError(
            f"data.directory {directory}: the data set cannot be prepared there ({error.strerror or error}); choose a "
            "folder that can be written."
        ) from error
    except (ParseError, ValueError) as error:  # dataset_info.json cannot be parsed
        raise _damaged(Path(directory) / SyntheticVi.name / settings.name, error) from error
    return builder


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without tfds' announcements: it prints them, and warns of every config that is not a built-in one."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)


def _read(builder: Any, expected: int) -> Samples:
    """All records, sorted by name; their pictures stay on disk."""
    import tensorflow_datasets as tfds

    with _naming_damage(builder.data_dir):
        stored = builder.as_data_source(split="all", decoders={"image": tfds.decode.SkipDecoding()})
        if len(stored) != expected:
            raise ValueError(f"{len(stored)} records instead of {expected}")
        starts = range(0, expected, READ_BATCH)
        records = [
            {name: record[name] for name in COLUMNS}
            for start in starts
            for record in stored.__getitems__(range(start, min(start + READ_BATCH, expected)))
        ]
        names = [record["name"].decode() for record in records]
    columns = {name: np.array([record[name] for record in records]) for name in COLUMNS}

    def image(row: int) -> bytes:
        with _naming_damage(builder.data_dir):
            return stored[row]["image"]

    unsorted = Samples(
        encoded=Contents([partial(image, row) for row in range(expected)]),
        names=names,
        identities=columns["identity"].astype(np.int64),
        infrared=columns["modality"] == 1,
        cameras=columns["camera"].astype(np.int64),
        factors={name: columns[name].astype(np.float32) for name in FACTORS},
    )
    return unsorted.select(np.argsort(names))


@contextlib.contextmanager
def _naming_damage(folder: Any) -> Iterator[None]:
    """Raises UserError for what reading damaged records raises: array_record has no error of its own, and hands out
    None for what is cut off."""
    try:
        yield
    except (RuntimeError, OSError, ValueError, LookupError, AssertionError, AttributeError, TypeError) as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Any, error: Exception) -> UserError:
    reason = (str(error) or type(error).__name__).strip().splitlines()[0]
    return UserError(f"The prepared data set in {folder} is damaged ({reason}); delete that folder and run again.")
