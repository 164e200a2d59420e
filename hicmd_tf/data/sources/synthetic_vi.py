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
from typing import Any, NamedTuple, NoReturn

import numpy as np

from hicmd_tf.config.schema import DataConfig
from hicmd_tf.data.samples import Contents, Samples
from hicmd_tf.data.sources.data_set import SPLIT_KEY, DataSet, Divided
from hicmd_tf.drawn_people.arithmetic import Array, Draws
from hicmd_tf.errors import UserError
from hicmd_tf.files import in_turn

READ_BATCH = 256
FACTORS = ("yaw", "gait_phase", "illumination")
COLUMNS = ("name", "identity", "modality", "camera", *FACTORS)


class SyntheticVi(DataSet):
    """Judged as RegDB."""

    name = "synthetic_vi"
    layout = "no folder"
    obtained = "people are drawn"
    protocol = "regdb"
    trials = 10
    drawn = True

    def listing(self, folder: Path, trial: int, pattern: str) -> NoReturn:
        """They lie in no folder."""
        raise UserError(f"{self.name} is drawn, and read from no folder: name another data set, or leave {folder} out")

    def divided(self, config: DataConfig) -> Divided:
        """Drawn first, where they are not there yet; a preparation that was interrupted starts afresh."""
        from hicmd_tf.drawn_people.synthetic_vi_dataset_builder import builder_config

        synthetic = config.synthetic
        identities = split_identities(
            synthetic.identities, config.test_identities, config.trial, config.held_out, synthetic.seed
        )
        builder = _prepared(builder_config(synthetic, config.height, config.width), config.directory)
        samples = _read(builder, 2 * synthetic.identities * synthetic.images_per_modality)
        train, held_out, test = map(samples.having, identities)
        return Divided(train, held_out, test)

    def people(self, config: DataConfig) -> str:
        """Another seed draws other people."""
        return f"{self.name}, seed {config.synthetic.seed}"


class IdentitySplit(NamedTuple):
    """Three disjoint sets of identities, each int64 and ascending."""

    train: Array
    held_out: Array
    test: Array


def split_identities(identities: int, test: int, trial: int, held_out: int, seed: int) -> IdentitySplit:
    """A permutation from (seed, trial): its last `test` are the test's, the `held_out` before them, the rest train.

    The test identities do not depend on `held_out`. Raises UserError if a number is out of range.
    """
    training, trials = identities - test, SyntheticVi.trials
    if not 1 <= trial <= trials:
        raise UserError(f"data.trial is {trial}: there are trials 1 to {trials}; choose one of them.")
    if not 1 <= test < identities:
        raise UserError(
            f"data.test_identities is {test}: of {identities} people it can be 1 to {identities - 1}; choose such."
        )
    if not 0 <= held_out < training:
        raise UserError(
            f"data.held_out is {held_out}: of {training} training people it can be 0 to {training - 1}; choose such."
        )
    order = np.array(Draws(seed, trial, SPLIT_KEY).shuffled(identities), np.int64)
    parts = order[: training - held_out], order[training - held_out : training], order[training:]
    return IdentitySplit(*map(np.sort, parts))


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
        reason = error.strerror or str(error)
        here = "" if Path(directory).is_absolute() else ", or give the command in such a one: it is looked for there"
        raise UserError(
            f"data.directory {directory}: the data set cannot be prepared there ({reason}); "
            f"choose a folder that can be written{here}."
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
        columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        for start in range(0, expected, READ_BATCH):
            for record in stored.__getitems__(range(start, min(start + READ_BATCH, expected))):
                for name, values in columns.items():
                    values.append(record[name])
        names = [name.decode() for name in columns["name"]]

    def image(row: int) -> bytes:
        with _naming_damage(builder.data_dir):
            return stored[row]["image"]

    unsorted = Samples(
        encoded=Contents([partial(image, row) for row in range(expected)]),
        names=names,
        identities=np.array(columns["identity"], np.int64),
        infrared=np.array(columns["modality"]) == 1,
        cameras=np.array(columns["camera"], np.int64),
        factors={name: np.array(columns[name], np.float32) for name in FACTORS},
    )
    return unsorted.select(np.array(sorted(range(expected), key=names.__getitem__), np.int64))


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
