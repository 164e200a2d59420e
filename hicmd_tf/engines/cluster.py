"""The processes of one run, as TF_CONFIG names them, whichever engine trains."""

import json
import os
from typing import NamedTuple

from hicmd_tf.config import Config
from hicmd_tf.errors import UserError


class Cluster(NamedTuple):
    """The processes of one run, a process a machine. The chief, of number 0, alone writes the run folder.
    chief: its address, where there are several."""

    number: int = 0
    workers: int = 1
    chief: str = ""

    @property
    def is_chief(self) -> bool:
        """Whether this process is the chief."""
        return self.number == 0


def cluster() -> Cluster:
    """The place of this process by TF_CONFIG. Raises UserError when that isn't what TensorFlow expects."""
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        return Cluster()
    try:
        said = json.loads(text)
        addresses = {job: said["cluster"].get(job, []) for job in ("chief", "worker")}
        jobs = {job: len(found) for job, found in addresses.items()}
        job, index = said["task"]["type"], int(said["task"]["index"])
        if index not in range(jobs[job]):
            raise ValueError(f"{job} {index} is not in cluster")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"TF_CONFIG is {text[:200]}: expected the addresses of all workers and this one's place, "
            f'{{"cluster": {{"worker": ["host:port", ..]}}, "task": {{"type": "worker", "index": 0}}}}; set it so, or '
            f"unset it to train on this machine alone"
        ) from error
    chief = [*addresses["chief"], *addresses["worker"]][0]
    return Cluster(index + (jobs["chief"] if job == "worker" else 0), sum(jobs.values()), str(chief))


def check_groups(config: Config, replicas: int) -> None:
    """Raises UserError where batch norm's groups would straddle devices."""
    if config.batch.norm_groups % replicas:
        raise UserError(
            f"batch.norm_groups is {config.batch.norm_groups}: {replicas} devices share every batch, and groups can't "
            f"straddle them; take a multiple of {replicas}"
        )
