"""`python -m hicmd_tf.baselines`: what raw pixels and colour histograms reach on a configuration's identities."""

from collections.abc import Sequence

from hicmd_tf.config.command_line import parse
from hicmd_tf.errors import run_command


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, prints a table of the baselines and of chance."""
    config, _ = parse("hicmd_tf.baselines", __doc__ or "", arguments)
    from hicmd_tf.data.datasets import load
    from hicmd_tf.retrieval.baselines import simple_figures
    from hicmd_tf.retrieval.report import table
    from hicmd_tf.training.experiment import evaluated

    samples = evaluated(config, load(config.data))
    print(table(simple_figures(samples, config.data.height, config.data.width)))


if __name__ == "__main__":
    run_command(main)
