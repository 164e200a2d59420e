"""`hicmd baselines`: what raw pixels, colour histograms, HOG, LOMO and chance reach on a configuration's identities.

hicmd baselines --config tiny
hicmd baselines --run RUN            on those of a run
"""

from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.config import Config
from hicmd_tf.config.command_line import parse
from hicmd_tf.errors import require


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, prints a table of the baselines, a random ranking among them."""
    config, _ = parse("hicmd baselines", __doc__ or "", arguments, stored=_stored, reads=("data.",))
    require("skimage")
    from hicmd_tf.data.datasets import evaluated, load, published
    from hicmd_tf.retrieval.baselines import hand_crafted_figures, simple_figures
    from hicmd_tf.retrieval.report import table

    samples = evaluated(config, load(config.data))
    searches = published(config.data, samples)
    asked = samples, searches, config.data.height, config.data.width
    crafted = hand_crafted_figures(*asked)  # first: it may refuse
    print(table({**simple_figures(*asked), **crafted}))


def _stored(run: Path) -> Config:
    from hicmd_tf.runs.folder import RunFolder

    return RunFolder(run).open()
