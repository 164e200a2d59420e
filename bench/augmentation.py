"""A sheet of training pictures of an embedding network: as they come, with one change each, and with all of them.

python -m bench.augmentation --config tiny_strong --out docs/augmentation.png
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.config import load
from hicmd_tf.data.batches import DETAILS, batches
from hicmd_tf.data.datasets import load as load_data
from hicmd_tf.data.identity_batches import IdentityPlanner
from hicmd_tf.data.pictures import denormalise
from hicmd_tf.embedding.augmentation import augmented
from hicmd_tf.notation import MODALITIES
from hicmd_tf.pictures.sheet import Cell, save_png, sheet

SHOWN = 10
CHANGES = {
    "as it comes": (),
    "cut": ("shifts",),
    "erased": ("erasing",),
    "channels": ("channels",),
    "all": DETAILS,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, draws the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="tiny_strong", metavar="FILE", help="whose pictures and augmentation")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="PNG to write")
    parser.add_argument("--step", type=int, default=0, metavar="N", help="iteration whose batch is drawn (default: 0)")
    options = parser.parse_args(arguments)
    settings = {"batch.erasing": 1.0, "embedding.channels": "exchange_or_grey", "embedding.people": SHOWN}
    config = load(options.config, {**settings, "embedding.pictures": 1})
    samples = load_data(config.data).train
    (batch,) = batches(IdentityPlanner(samples, config), samples, options.step, options.step + 1)
    save_png(sheet([row for m in MODALITIES for row in _rows(batch, m)]), options.out)


def _rows(batch: dict[str, Any], modality: Any) -> list[list[Cell]]:
    """Of one modality a row of pictures for each of `CHANGES`; of visible ones the views with other channels."""
    last = np.arange(len(batch[modality])).reshape(SHOWN, -1)[:, -1]
    found = []
    for name, changes in CHANGES.items():
        kept = {kind: batch[kind][modality] * (kind in changes) for kind in DETAILS}
        pictures = augmented(
            {modality: batch[modality], **{kind: {modality: of} for kind, of in kept.items()}}, modality
        )
        shown = denormalise(np.asarray(pictures))[last]
        found.append([Cell(lines=[f"{modality}, {name}"]), *map(Cell, shown)])
    return found


if __name__ == "__main__":
    main()
