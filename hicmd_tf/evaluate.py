"""`python -m hicmd_tf.evaluate`: repeats the evaluation of a run from its newest checkpoint."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.errors import run_command


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, evaluates, prints the figures and writes them to the run's metrics.json."""
    parser = argparse.ArgumentParser("hicmd_tf.evaluate", description=__doc__)
    parser.add_argument("--run", required=True, metavar="DIR", type=Path, help="run folder that hicmd_tf.fit made")
    options = parser.parse_args(arguments)
    from hicmd_tf.files import write_json
    from hicmd_tf.retrieval.report import table
    from hicmd_tf.training.checkpoints import Checkpoints
    from hicmd_tf.training.experiment import prepare
    from hicmd_tf.training.restore import newest_checkpoint, saved_classes
    from hicmd_tf.training.run import evaluate, figures
    from hicmd_tf.training.run_folder import RunFolder

    folder = RunFolder(options.run)
    config = folder.open()
    experiment = prepare(config, saved_classes(newest_checkpoint(folder)))
    Checkpoints(experiment.model, folder.checkpoints, config.training.keep_checkpoints).restore()
    metrics = evaluate(config, folder, experiment)
    write_json(folder.metrics, metrics)
    print(table(figures(metrics)))
    print(f"{metrics['identities']} {metrics['split']} identities, {metrics['steps']} steps")


if __name__ == "__main__":
    run_command(main)
