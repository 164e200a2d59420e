"""Folders as finished runs leave them, and processes that make such at once, without training."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest.mock import Mock

from PIL import Image

from hicmd_tf.commands import fit
from hicmd_tf.config import Config
from hicmd_tf.data.datasets import load as load_pictures
from hicmd_tf.errors import EXIT_CODE
from hicmd_tf.pictures.sheet import save_png
from hicmd_tf.retrieval.report import COLUMNS
from hicmd_tf.runs.costs import Costs, write_costs
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.origin import configuration_hash, data_hashes
from hicmd_tf.runs.progress import Figures
from hicmd_tf.training import apart

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


class Processes:
    """Stands for the processes of runs, which finish at once, but one in which something comes.

    expected: figures of runs with seed 0, by row; others add a hundredth of the seed. beside: whether each trained
    beside others. failing: the run whose losses become NaN.
    """

    def __init__(self, expected: Mapping[str, float]) -> None:
        self.expected = expected
        self.trained: list[str] = []
        self.stopped, self.how, self.failing = "", 0, ""
        self.beside: list[bool] = []

    def __call__(self, job: apart.Job, beside: bool) -> Mock:
        config, options = fit.parse("hicmd fit", "", job.fit[4:], fit._options, fit.SHORT)
        run = Path(options.run)
        if run.name == self.failing:
            RunFolder(run).begin(config, resume=True)
            shutil.rmtree(RunFolder(run).failure, ignore_errors=True)
            RunFolder(run).failure.mkdir()  # anew, as a run does
            return Mock(poll=lambda: EXIT_CODE)
        if run.name == self.stopped:
            return Mock(poll=lambda: self.how) if self.how else Mock(poll=Mock(side_effect=KeyboardInterrupt))
        self.trained.append(run.name)
        self.beside.append(beside)
        finish(run, config, self.expected[run.name.rpartition("_")[0]] + config.seed / 100)
        save_png(Image.new("RGB", (40, 30)), run / "pictures" / "final.png")
        return Mock(poll=lambda: 0)
