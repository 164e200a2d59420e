"""A sheet of training pictures: as they come, with one change each, and with all of them.

python -m bench.augmentation --out docs/augmentation.png
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.config import load
from hicmd_tf.config.kinds import EMBEDDING
from hicmd_tf.data.batches import WHOLE, Pixels
from hicmd_tf.data.datasets import load as load_data
from hicmd_tf.data.pictures import denormalise, normalise
from hicmd_tf.data.planners import planner_of
from hicmd_tf.method.augmentation import changed, cut
from hicmd_tf.notation import MODALITIES
from hicmd_tf.pictures.sheet import Cell, save_png, sheet

SHOWN = 10
CHANGES = {
    "as it comes": (),
    "brightness": ("brightness",),
    "blurred": ("blur",),
    "cut": ("shifts",),
    "erased": ("erasing",),
    "channels": ("channels",),
    "all": ("brightness", "blur", "shifts", "erasing", "channels"),
}
SETTINGS = {"batch.brightness": 0.5, "batch.blur": 1.0, "batch.erasing": 1.0}
OF_HICMD = {"batch.channel_exchange": 1.0, "batch.pairs": SHOWN, "batch.negatives": 0}
OF_EMBEDDING = {"embedding.channels": "exchange_or_grey", "embedding.people": SHOWN, "embedding.pictures": 1}


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, draws the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="tiny_strong", metavar="FILE", help="whose pictures and size")
    parser.add_argument("--pad", type=int, default=4, metavar="N", help="border of cut pictures, pixels (default: 4)")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="PNG to write")
    parser.add_argument("--step", type=int, default=0, metavar="N", help="iteration whose batch is drawn (default: 0)")
    options = parser.parse_args(arguments)
    of_method = OF_EMBEDDING if load(options.config).method == EMBEDDING else OF_HICMD
    config = load(options.config, {**SETTINGS, **of_method, "batch.pad": options.pad, "batch.norm_groups": 1})
    samples = load_data(config.data).train
    part = planner_of(config, samples).plan(options.step).part(WHOLE)
    pixels = Pixels(samples, config.data.height, config.data.width)
    rows = {name: _pictures(pixels, part, changes) for name, changes in CHANGES.items() if {*changes} <= {*part}}
    cells = [[Cell(lines=[f"{m}, {name}"]), *map(Cell, found[m])] for m in MODALITIES for name, found in rows.items()]
    save_png(sheet(cells), options.out)


def _pictures(pixels: Pixels, part: dict[str, dict[str, Any]], changes: Sequence[str]) -> dict[str, Any]:
    """Some changes of a plan's part, by modality; of visible pictures that come twice the second view."""
    shown = normalise(pixels.shown({kind: part[kind] for kind in ("rows", *changes)}))
    ends = np.cumsum([len(part["rows"][m]) for m in MODALITIES])[:-1]
    batch = dict(zip(MODALITIES, np.split(shown, ends), strict=True))
    for kind in ("shifts", "erasing", "channels"):
        if kind in part:
            batch[kind] = {m: part[kind][m] * (kind in changes) for m in MODALITIES if m in part[kind]}
    batch = cut(batch)
    found = {m: changed(batch[m], m, batch) for m in MODALITIES}
    return {m: denormalise(np.asarray(x)).reshape(SHOWN, -1, *x.shape[1:])[:, -1] for m, x in found.items()}


if __name__ == "__main__":
    main()
