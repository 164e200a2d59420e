"""The data sets by name: drawn on first use, or read where they are, and divided by identity."""

import contextlib
import io
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.config.kinds import DRAWN
from hicmd_tf.config.schema import CheckPolicy, DataConfig
from hicmd_tf.config.validation import refuse_sourceless
from hicmd_tf.data.contents import Contents
from hicmd_tf.data.identity_splits import shuffled, split_identities
from hicmd_tf.data.samples import DataSplits, Samples, Split, joined
from hicmd_tf.data.sources import read
from hicmd_tf.data.sources.reading import read_pictures
from hicmd_tf.data.usable import usable
from hicmd_tf.errors import UserError
from hicmd_tf.files import in_turn

READ_BATCH = 256
FACTORS = ("yaw", "gait_phase", "illumination")
COLUMNS = ("name", "identity", "modality", "camera", *FACTORS)


def load(config: DataConfig) -> DataSplits:
    """The data set of the config as training, held-out and test identities, each sorted by name.

    Drawn people's first use draws them into config.directory; a preparation that was interrupted starts afresh. Other
    data sets are read where they are, in config.source. Pictures stay on disk until they are asked for. Raises
    UserError for impossible settings, a source with something missing, a folder that cannot be written, or damaged
    files. A split's pictures are checked, as config.check says, when it is first asked for, which raises UserError too.
    """
    for side, value in (("height", config.height), ("width", config.width)):
        if value <= 0 or value % 4:
            raise UserError(f"data.{side} is {value}: it must be a positive multiple of 4; choose such a number.")
    return _drawn(config) if config.name == DRAWN else _listed(config)


def _drawn(config: DataConfig) -> DataSplits:
    from hicmd_tf.drawn_people.synthetic_vi_dataset_builder import builder_config

    synthetic = config.synthetic
    identities = split_identities(
        synthetic.identities, config.test_identities, config.trial, config.held_out, synthetic.seed
    )
    settings = builder_config(synthetic, config.height, config.width)
    builder = _prepared(settings, config.directory)
    samples = _read(builder, 2 * synthetic.identities * synthetic.images_per_modality)
    train, held_out, test = (samples.having(part) for part in identities)
    return DataSplits(train, held_out, test, _checking(config.check))


def _listed(config: DataConfig) -> DataSplits:
    refuse_sourceless(config)
    source = Path(config.source)
    listing = read(config.name, source, config.trial, config.pattern)
    for line in listing.passed:
        warnings.warn(f"{source}: {line}", stacklevel=2)
    splits = {
        split: read_pictures(source, records, listing.texts, config.sixteen_bit)
        for split, records in listing.splits.items()
    }
    training = splits["train"]
    if config.validation_trains and "val" in splits:
        training = joined(training, splits["val"])
    people = np.unique(training.identities)
    if not 0 <= config.held_out < len(people):
        raise UserError(
            f"data.held_out is {config.held_out}: of {len(people)} training people it can be 0 to {len(people) - 1}; "
            "choose such."
        )
    kept, held_out = np.split(people[shuffled(len(people), config.trial)], [len(people) - config.held_out])
    return DataSplits(training.having(kept), training.having(held_out), splits["test"], _checking(config.check))


def _checking(policy: CheckPolicy) -> Callable[[Samples, Split], Samples]:
    def check(samples: Samples, split: Split) -> Samples:
        return usable(samples, policy, split)

    return check


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
