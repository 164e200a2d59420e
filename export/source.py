"""What is exported: the descriptor branch of a run's newest checkpoint, and its pictures."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from hicmd_tf.config import Config
from hicmd_tf.data.datasets import load
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.export.branch import DescriptorBranch
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.restore import restored_networks
from hicmd_tf.runs.trained import Trained, read_trained
from hicmd_tf.training.experiment import evaluated, set_up_tensorflow


class Source(NamedTuple):
    """config: of the run. branch: with the weights of so many steps. trained: on whom, where the run says so."""

    config: Config
    branch: DescriptorBranch
    step: int
    trained: Trained | None


def open_run(run: Path) -> Source:
    """The descriptor branch of a run folder. Raises UserError when it holds no whole run."""
    folder = RunFolder(run)
    config = folder.open()
    set_up_tensorflow(config)
    config, networks, step = restored_networks(folder)
    branch = DescriptorBranch(networks, config.data.height, config.data.width, config.data.sixteen_bit)
    return Source(config, branch, step, read_trained(folder.identities))


def tested(config: Config, identities: int) -> Samples:
    """Pictures of the first so many people of those that the configuration is evaluated on, whom both modalities show;
    0: of all."""
    samples = evaluated(config, load(config.data))
    return samples.having(samples.shared()[:identities]) if identities else samples


def calibration(config: Config, pictures: int) -> Samples:
    """So many training pictures of each modality, evenly spread. Raises UserError when there are none."""
    samples = load(config.data).train
    rows = [np.flatnonzero(samples.infrared == infrared) for infrared in (False, True)]
    if not all(map(len, rows)):
        raise UserError(f"data.name {config.data.name} has no training pictures of one modality: expected both")
    chosen = [of[np.linspace(0, len(of) - 1, min(pictures, len(of))).round().astype(np.int64)] for of in rows]
    return samples.select(np.concatenate(chosen))
