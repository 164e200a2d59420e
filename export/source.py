"""What is exported: the descriptor branch of a run's newest checkpoint, and its pictures."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from hicmd_tf.config import Config
from hicmd_tf.data.datasets import evaluated, load
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.export.branch import DescriptorBranch
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.runs.trained import Trained


class Source(NamedTuple):
    """config: of the run. branch: with the weights of so many steps. trained: on whom, where the run says so."""

    config: Config
    branch: DescriptorBranch
    step: int
    trained: Trained | None


def open_run(run: Path) -> Source:
    """The descriptor branch of a run folder. Raises UserError when it holds no whole run."""
    opened = OpenedRun(run)
    data, model = opened.config.data, opened.model
    branch = DescriptorBranch(model.networks, data.height, data.width, data.sixteen_bit)
    return Source(opened.config, branch, model.step, opened.trained_on)


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
