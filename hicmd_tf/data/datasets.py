"""The data set that a configuration names: divided by identity, and looked up as its published tables have it."""

from pathlib import Path

from hicmd_tf.config.kinds import EMBEDDING
from hicmd_tf.config.schema import Config, DataConfig
from hicmd_tf.data import batches, identity_batches
from hicmd_tf.data.samples import DataSplits, Samples
from hicmd_tf.data.searches import Search
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.data.sources.synthetic_vi import SyntheticVi
from hicmd_tf.data.usable import usable


def load(config: DataConfig) -> DataSplits:
    """The data set of the config as training, held-out and test identities, each sorted by name.

    Drawn people's first use draws them into config.directory; a preparation that was interrupted starts afresh. Other
    data sets are read where they are, in config.source. Pictures stay on disk until they are asked for. Raises
    UserError for impossible settings, a source with something missing, a folder that cannot be written, or damaged
    files. A split's pictures are checked, as config.check says, when it is first asked for, which raises UserError too.
    """
    divided = DATA_SETS[config.name].divided(config)
    return DataSplits(*divided, lambda samples, split: usable(samples, config.check, split))


def refuse_unfit(config: Config) -> None:
    """Raises UserError where pictures are missing, or too few people train for a batch, for what a look at folders and
    lists tells; draws nothing."""
    people = DATA_SETS[config.data.name].training_people(config.data)
    if people is None:  # drawn ones, whom the configuration counts
        return
    if config.method == EMBEDDING:
        identity_batches.refuse_few(people, config.embedding)
    else:
        batches.refuse_few(people, config.batch)


def everyone(config: DataConfig) -> Samples:
    """All drawn people of a configuration: nobody trains, and all are for the test. Raises UserError as `load`."""
    return usable(SyntheticVi().everyone(config), config.check, "test")


def published(config: DataConfig, samples: Samples, permutations: Path | None = None) -> list[Search]:
    """Every search of the published tables of a configuration's data set, among these pictures of it.

    permutations: SYSU-MM01's file, by default the one that its folder has. Raises UserError as `DataSet.searches`.
    """
    return DATA_SETS[config.name].published(config, samples, permutations)


def evaluated(config: Config, data: DataSplits) -> Samples:
    """The identities that figures are computed on: while settings are chosen the held-out ones, else the test's."""
    return data.held_out if config.data.held_out else data.test
