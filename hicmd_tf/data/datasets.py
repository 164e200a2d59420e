"""The data sets by name: prepared on first use, read, divided by identity."""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.config.schema import CheckPolicy, DataConfig
from hicmd_tf.config.validation import DRAWN, refuse_sourceless
from hicmd_tf.data.identity_splits import shuffled, split_identities
from hicmd_tf.data.samples import DataSplits, Samples, Split, joined
from hicmd_tf.data.sources import read
from hicmd_tf.errors import UserError
from hicmd_tf.files import in_turn

READ_BATCH = 256
FACTORS = ("yaw", "gait_phase", "illumination")


def load(config: DataConfig) -> DataSplits:
    """The data set of the config as training, held-out and test identities, each sorted by name.

    The first use draws the pictures into config.directory, or copies them there from config.source; a preparation that
    was interrupted starts afresh, and so does one whose source has changed. Raises UserError for impossible settings, a
    source with something missing, a folder that cannot be written, or damaged files. A split's pictures are checked, as
    config.check says, when it is first asked for, which raises UserError too.
    """
    for side, value in (("height", config.height), ("width", config.width)):
        if value <= 0 or value % 4:
            raise UserError(f"data.{side} is {value}: it must be a positive multiple of 4; choose such a number.")
    return _drawn(config) if config.name == DRAWN else _listed(config)


def _drawn(config: DataConfig) -> DataSplits:
    from hicmd_tf.data.synthetic_vi.synthetic_vi_dataset_builder import SyntheticVi, builder_config

    synthetic = config.synthetic
    identities = split_identities(
        synthetic.identities, config.test_identities, config.trial, config.held_out, synthetic.seed
    )
    settings = builder_config(synthetic, config.height, config.width)
    builder = _prepared(SyntheticVi, config.directory, settings, None)
    samples = _read(builder, "all", 2 * synthetic.identities * synthetic.images_per_modality, FACTORS)
    train, held_out, test = (samples.having(part) for part in identities)
    return DataSplits(train, held_out, test, _checking(config.check))


def _listed(config: DataConfig) -> DataSplits:
    from hicmd_tf.data.sources.builders import BUILDERS, TRIAL, fingerprint

    refuse_sourceless(config)
    source = Path(config.source)
    listing = read(config.name, source, config.trial, config.pattern)
    for line in listing.passed:
        warnings.warn(f"{source}: {line}", stacklevel=2)
    folder = Path(config.directory) / f"{config.name}_{fingerprint(source, listing)}"
    settings = f"{TRIAL}{config.trial}" if BUILDERS[config.name].BUILDER_CONFIGS else None
    builder = _prepared(BUILDERS[config.name], str(folder), settings, config.source, config.pattern)
    splits = {
        split: replace(_read(builder, split, len(records)), texts=listing.texts)
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
        from hicmd_tf.data.usable import usable  # TensorFlow's import takes seconds

        return usable(samples, policy, split)

    return check


def _prepared(kind: Any, directory: str, settings: Any, source: str | None, pattern: str = "") -> Any:
    """A builder whose data set is there. tfds writes to a folder of another name and renames it at the end; processes
    that begin at once make one after the other what they share, and so once."""
    import tensorflow_datasets as tfds
    from google.protobuf.json_format import ParseError

    tfds.disable_progress_bar()
    try:
        with _quiet(), in_turn(Path(directory) / f".{kind.name}.lock"):
            builder = kind(config=settings, data_dir=directory)
            builder.pattern = pattern
            builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=source))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"data.directory {directory}: the data set cannot be prepared there ({reason}); "
            "choose a folder that can be written."
        ) from error
    except (ParseError, ValueError) as error:  # dataset_info.json cannot be parsed
        name = settings if isinstance(settings, str) or settings is None else settings.name
        raise _damaged(Path(directory) / kind.name / (name or ""), error) from error
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


def _read(builder: Any, split: str, expected: int, factors: Sequence[str] = ()) -> Samples:
    import tensorflow as tf
    import tensorflow_datasets as tfds

    try:
        records = builder.as_dataset(split=split, decoders={"image": tfds.decode.SkipDecoding()}, shuffle_files=False)
        batches = list(records.batch(READ_BATCH).as_numpy_iterator())
        columns = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
        if len(columns["name"]) != expected:
            raise ValueError(f"{len(columns['name'])} records instead of {expected}")
    except (tf.errors.OpError, OSError, ValueError, LookupError, AssertionError) as error:
        raise _damaged(builder.data_dir, error) from error
    return _samples(columns, factors)


def _damaged(folder: Any, error: Exception) -> UserError:
    reason = (str(error) or type(error).__name__).strip().splitlines()[0]
    return UserError(f"The prepared data set in {folder} is damaged ({reason}); delete that folder and run again.")


def _samples(columns: dict[str, Any], factors: Sequence[str]) -> Samples:
    names = [name.decode() for name in columns["name"]]
    order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
    unsorted = Samples(
        encoded=list(columns["image"]),
        names=names,
        identities=columns["identity"],
        infrared=columns["modality"] == 1,
        cameras=columns["camera"],
        factors={name: columns[name] for name in factors},
    )
    return unsorted.select(order)
