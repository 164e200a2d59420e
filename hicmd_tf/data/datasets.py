"""The data sets by name: prepared on first use, read, divided by identity."""

import contextlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.config.schema import DataConfig
from hicmd_tf.data.identity_splits import split_identities
from hicmd_tf.data.samples import DataSplits, Samples
from hicmd_tf.errors import UserError

READ_BATCH = 256
FACTORS = ("yaw", "gait_phase", "illumination")


def load(config: DataConfig) -> DataSplits:
    """The data set of the config as training, held-out and test identities, each sorted by name.

    The first use draws the pictures into config.directory; a preparation that was interrupted starts afresh. Raises
    UserError for impossible settings, a folder that cannot be written, or damaged files.
    """
    for side, value in (("height", config.height), ("width", config.width)):
        if value <= 0 or value % 4:
            raise UserError(f"data.{side} is {value}: it must be a positive multiple of 4; choose such a number.")
    synthetic = config.synthetic
    identities = split_identities(
        synthetic.identities, config.test_identities, config.trial, config.held_out, synthetic.seed
    )
    samples = _load_synthetic(config)
    return DataSplits(*(samples.having(part) for part in identities))


def _load_synthetic(config: DataConfig) -> Samples:
    from google.protobuf.json_format import ParseError

    from hicmd_tf.data.synthetic_vi.synthetic_vi_dataset_builder import SyntheticVi, builder_config

    settings = builder_config(config.synthetic, config.height, config.width)
    try:
        with _quiet():
            builder = SyntheticVi(config=settings, data_dir=config.directory)
            _prepare(builder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"data.directory {config.directory}: the data set cannot be prepared there ({reason}); "
            "choose a folder that can be written."
        ) from error
    except (ParseError, ValueError) as error:  # dataset_info.json cannot be parsed
        raise _damaged(Path(config.directory) / SyntheticVi.name / settings.name, error) from error
    return _read(builder, 2 * config.synthetic.identities * config.synthetic.images_per_modality)


def _prepare(builder: Any) -> None:
    """Draws the data set unless it is there. tfds writes to a folder of another name and renames it at the end."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    builder.download_and_prepare()


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
    import tensorflow as tf
    import tensorflow_datasets as tfds

    try:
        records = builder.as_dataset(split="all", decoders={"image": tfds.decode.SkipDecoding()}, shuffle_files=False)
        batches = list(records.batch(READ_BATCH).as_numpy_iterator())
        columns = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
        if len(columns["name"]) != expected:
            raise ValueError(f"{len(columns['name'])} records instead of {expected}")
    except (tf.errors.OpError, OSError, ValueError, LookupError, AssertionError) as error:
        raise _damaged(builder.data_dir, error) from error
    return _samples(columns)


def _damaged(folder: Any, error: Exception) -> UserError:
    reason = (str(error) or type(error).__name__).strip().splitlines()[0]
    return UserError(f"The prepared data set in {folder} is damaged ({reason}); delete that folder and run again.")


def _samples(columns: dict[str, Any]) -> Samples:
    names = [name.decode() for name in columns["name"]]
    order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
    unsorted = Samples(
        encoded=list(columns["image"]),
        names=names,
        identities=columns["identity"],
        infrared=columns["modality"] == 1,
        cameras=columns["camera"],
        factors={name: columns[name] for name in FACTORS},
    )
    return unsorted.select(order)
