"""`hicmd baselines`: what raw pixels, colour histograms and chance reach on a configuration's identities.

hicmd baselines --config tiny
hicmd baselines --run RUN            on those of a run
"""

from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.config import Config
from hicmd_tf.config.command_line import parse


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, prints a table of the baselines, a random ranking among them."""
    config, _ = parse("hicmd baselines", __doc__ or "", arguments, stored=_stored, reads=("data.",))
    from hicmd_tf.data.datasets import evaluated, load, published
    from hicmd_tf.retrieval.baselines import simple_figures
    from hicmd_tf.retrieval.report import table

    samples = evaluated(config, load(config.data))
    searches = published(config.data, samples)
    print(table(simple_figures(samples, searches, config.data.height, config.data.width)))


def _stored(run: Path) -> Config:
    from hicmd_tf.runs.folder import RunFolder

    return RunFolder(run).open()
