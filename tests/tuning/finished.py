"""Folders as finished runs leave them, without training."""

import json
from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.config import Config
from hicmd_tf.data.datasets import load as load_pictures
from hicmd_tf.retrieval.report import COLUMNS
from hicmd_tf.runs.costs import Costs, write_costs
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.origin import configuration_hash, data_hashes
from hicmd_tf.runs.progress import Figures

WAYS = ("visible_to_infrared", "infrared_to_visible")


def figures(value: float, ways: Sequence[str] = WAYS) -> Figures:
    return {way: dict.fromkeys(COLUMNS, value) for way in ways}


def finish(run: Path, config: Config, value: float, hashes: dict[str, str] | None = None) -> RunFolder:
    """What a run leaves."""
    folder, steps = RunFolder(run), config.training.steps
    folder.begin(config, resume=True)
    provenance = {
        "configuration_sha256": configuration_hash(config),
        "steps": {"start": 0, "end": steps},
        "deterministic": True,
        "data_sha256": hashes or data_hashes(config, load_pictures(config.data)),
        "origins": folder.origins(config),
    }
    known = {**figures(value), **{name: figures(0.1) for name in ("chance", "raw_pixels", "colour_histogram")}}
    about = {
        "steps": steps,
        "identities": 6,
        "split": "test",
        "settings": [{"setting": "all", "trials": 1}],
        "provenance": provenance,
    }
    folder.metrics.write_text(json.dumps({**known, **about}))
    folder.untrained.write_text(json.dumps(figures(0.0)))
    names = [f"{way}_{name}" for way in WAYS for name in COLUMNS]
    rows = [["step", *names], ["3", *["0.2"] * len(names)], [str(steps), *["0.9"] * len(names)]]
    folder.evaluations.write_text("".join(f"{','.join(row)}\n" for row in rows))
    write_costs(
        folder.costs, Costs([(0, 0.0), (3, 1.0), (steps, 2.0)], 1 << 30, None, 0.5, {"describing": 7, "trained": 9})
    )
    return folder
