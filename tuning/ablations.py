"""The ablations of Fig. 4 and Table 2 as a grid, with several seeds.

Every run is evaluated on the test identities after a fixed number of steps; nothing is chosen by them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.config import Config, with_values
from hicmd_tf.config.kinds import HICMD
from hicmd_tf.errors import UserError, require
from hicmd_tf.files import check_writable, read_json, write_text
from hicmd_tf.pictures.decode import opened
from hicmd_tf.pictures.sheet import Cell, save_png, sheet
from hicmd_tf.retrieval.report import COMPARED, DIRECTIONS
from hicmd_tf.runs.origin import data_hashes
from hicmd_tf.tables import as_markdown, spread
from hicmd_tf.tuning.processes import role
from hicmd_tf.tuning.study import Settings, Study, prepared

VARIANT, SEED = "variant", "seed"  # the grid's settings


class Ablation(NamedTuple):
    """One row of the tables. sampling, losses, features: in the words of Table 2; A the style attribute, P the
    prototype. removed: the loss of ID-PIG that Fig. 4 takes out. settings: what differs from the configuration."""

    sampling: str
    losses: str
    features: str
    removed: str
    settings: dict[str, Any]


ORIGINAL = {"sampling.groups": "original"}
"""Real images only, instead of alternate sampling."""
STYLE_ONLY = {"networks.feature_learning.alpha": 0.0, "optimisers.alpha_rate": 0.0}
"""alpha stays 0: d_comb is the style attribute, the prototype's part is zeros."""
PROTOTYPE_ONLY = {"networks.feature_learning.alpha": 1.0, "optimisers.alpha_rate": 0.0}
"""alpha stays 1: d_comb is the prototype, the style's part is zeros."""

ABLATIONS = {
    "full": Ablation("alternate", "CE + triplet", "A + P", "", {}),
    "without_same": Ablation("alternate", "CE + triplet", "A + P", "same", {"losses.same": 0.0}),
    "without_cross": Ablation("alternate", "CE + triplet", "A + P", "cross", {"losses.cross": 0.0}),
    "without_adversarial": Ablation("alternate", "CE + triplet", "A + P", "adversarial", {"losses.adversarial": 0.0}),
    "original": Ablation("original", "CE + triplet", "A + P", "", ORIGINAL),
    "original_p": Ablation("original", "CE + triplet", "P", "", {**ORIGINAL, **PROTOTYPE_ONLY}),
    "original_a": Ablation("original", "CE + triplet", "A", "", {**ORIGINAL, **STYLE_ONLY}),
    "original_ce": Ablation("original", "CE", "A + P", "", {**ORIGINAL, "losses.triplet": 0.0}),
}


def run_grid(
    config: Config, seeds: Sequence[int], out: Path, command: Sequence[str], workers: int, resume: bool
) -> str | None:
    """Runs the grid, and writes its table and pictures into a folder; the table, or None in a worker's process.

    command: what starts this again, as a worker. workers: processes on this machine. resume: whether a grid in the
    folder goes on. Raises UserError for a configuration whose table would not be of the test identities.
    """
    if config.data.held_out:
        raise UserError(f"data.held_out is {config.data.held_out}: the table is of the test identities; leave it at 0")
    if config.method != HICMD:
        raise UserError(
            f"method is {config.method}: the rows leave out losses, samples and codes that hicmd alone has; name a "
            f"configuration of that"
        )
    for ablation in ABLATIONS.values():
        with_values(config, ablation.settings)
    require("keras_tuner", "grpc")
    if role() != "worker":
        check_writable(out / "study.json")
    pictures = {} if role() == "worker" else data_hashes(config, prepared(config))
    settings = Settings("grid", config, 1, {VARIANT: list(ABLATIONS), SEED: list(seeds)}, pictures)
    study = Study(out, settings, len(ABLATIONS) * len(seeds))

    def model() -> Any:
        from hicmd_tf.tuning.tuner import GridModel

        return GridModel(config, settings.space)

    trials = study.run(model, command, workers, resume)
    return None if role() == "worker" else _reported(study, trials)


def configuration(config: Config, values: dict[str, Any]) -> Config:
    """The configuration of one cell of the grid."""
    return with_values(config, {**ABLATIONS[values[VARIANT]].settings, SEED: int(values[SEED])})


def _reported(study: Study, trials: dict[str, Any]) -> str:
    """Writes ablations.md, and fig4.png with the pictures of the first seed, two in a row, each with its name beneath;
    returns the table and what failed."""
    from hicmd_tf.tuning.oracles import reason

    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ABLATIONS}
    pictures: dict[str, Path] = {}
    failures = []
    for number, trial in sorted(trials.items(), key=lambda item: int(item[0])):
        name, seed = (trial.hyperparameters.values[key] for key in (VARIANT, SEED))
        run = study.runs / f"trial_{number}"
        if trial.score is None:
            failures.append(f"{name}, seed {seed}: {reason(trial, study.runs)}")
            continue
        found[name].append(read_json(run / "metrics.json"))
        if seed == study.settings.space[SEED][0] and (name == "full" or ABLATIONS[name].removed):
            pictures[name] = run / "pictures" / "final.png"
    text = table(found)
    write_text(study.out / "ablations.md", text)
    cells = [Cell(np.asarray(opened(file)), [name.replace("_", " ")]) for name, file in pictures.items()]
    if cells:
        save_png(sheet([cells[start : start + 2] for start in range(0, len(cells), 2)]), study.out / "fig4.png")
    return "\n".join([text, *failures])


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """Table 2 in Markdown, with the rows of Fig. 4: mean and standard deviation over seeds (ddof 1), in per cent.

    found: metrics.json of each seed by ablation.
    """
    figures = [(direction, figure) for direction in DIRECTIONS for figure in ("rank1", "mAP")]

    def cells(*of: dict[str, Any]) -> list[str]:  # SYSU-MM01 has one direction
        return [
            spread([100 * one[direction][figure] for one in of if direction in one]) for direction, figure in figures
        ]

    head = ["sampling", "loss", "feature", "removed from ID-PIG", "seeds"]
    lines = [[*head, *(f"{words} {figure}" for words in DIRECTIONS.values() for figure in ("R-1", "mAP"))]]
    for name, one in ABLATIONS.items():
        words = [one.sampling, one.losses, one.features, one.removed or "-", str(len(found[name]))]
        lines.append([*words, *cells(*found[name])])
    first = next((metrics for of in found.values() for metrics in of), {})  # what needs no learning is the same in all
    for key in (key for key in COMPARED if key in first and key != "untrained"):
        lines.append([COMPARED[key], *"----", *cells(first[key])])
    return as_markdown(lines, "<<<<>")
