"""Trials that end at once: what a search does around a training, without one. A script too: a search by two workers."""

import sys
import time
from pathlib import Path
from typing import Any

from hicmd_tf.config import Config, load
from hicmd_tf.errors import run_command
from hicmd_tf.files import write_json, write_text
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.training.failure import NotFiniteError
from hicmd_tf.training.run import Metrics
from hicmd_tf.tuning import search, tuner
from hicmd_tf.tuning.space import space_of

PLUMBING = Path(__file__).parents[1] / "fixtures" / "plumbing.yaml"
PEOPLE = {"data.synthetic.identities": 16, "data.held_out": 4}
TRIALS = 5
SECONDS = 1.0  # of a trial of the script


def config_of(data: Path) -> Config:
    return load(PLUMBING, {"data.directory": str(data), **PEOPLE})


class Quick(tuner.WeightedModel):
    """A figure that depends on one weight only, and a loss that becomes NaN at a high rate."""

    seconds = 0.0

    def train(self, values: dict[str, Any], folder: RunFolder, report: tuner.Report) -> Metrics:
        config = self.configuration(values)
        folder.begin(config, resume=True)
        before = folder.losses.read_text() if folder.losses.exists() else ""
        write_text(folder.losses, f"{before}{config.training.steps}\n")
        time.sleep(self.seconds)
        if config.optimisers.generator_rate > 1:
            raise NotFiniteError("step 1: cross became nan")
        metrics = {"objective": 1 / (1 + config.losses.cross), "steps": config.training.steps}
        write_json(folder.metrics, metrics)
        return metrics


def main(data: str, out: str, *more: str) -> None:
    Quick.seconds = SECONDS
    tuner.WeightedModel = Quick  # type: ignore[misc]
    config = config_of(Path(data))
    command = [sys.executable, __file__, data, out]
    print(search.search(config, space_of(config), Path(out), command, "random", TRIALS, 3, 2, "--resume" in more))


if __name__ == "__main__":
    run_command(lambda: main(*sys.argv[1:]))
