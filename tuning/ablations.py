"""The rows of Table 2 and Fig. 4: one configuration with parts taken away, compared as `comparison` does.

Every run is evaluated on the test identities after a fixed number of steps; nothing is chosen by them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.config import value_of, with_values
from hicmd_tf.config.kinds import HICMD
from hicmd_tf.errors import UserError, nearest
from hicmd_tf.pictures.decode import opened
from hicmd_tf.pictures.sheet import Cell, save_png, sheet
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.origin import configuration_hash
from hicmd_tf.tuning.comparison import FIG4, Contender, check, compare, contenders


class Ablation(NamedTuple):
    """One row of the tables. sampling, losses, features: in the words of Table 2; A the style attribute, P the
    prototype. removed: the loss of ID-PIG that Fig. 4 takes out. settings: what makes the row of the configuration."""

    sampling: str
    losses: str
    features: str
    removed: str
    settings: dict[str, Any]

    @property
    def words(self) -> dict[str, str]:
        """By column."""
        removed = self.removed or "-"
        return {"sampling": self.sampling, "loss": self.losses, "feature": self.features, "removed": removed}


ORIGINAL = {"sampling.groups": "original"}
"""Real images only, instead of alternate sampling."""
STYLE_ONLY = {"networks.feature_learning.alpha": 0.0, "optimisers.alpha_rate": 0.0}
"""alpha stays 0: d_comb is the style attribute, the prototype's part is zeros."""
PROTOTYPE_ONLY = {"networks.feature_learning.alpha": 1.0, "optimisers.alpha_rate": 0.0}
"""alpha stays 1: d_comb is the prototype, the style's part is zeros."""

ABLATIONS = {
    "full": Ablation("alternate", "CE + triplet", "A + P", "", {}),
    **{
        f"without_{loss}": Ablation("alternate", "CE + triplet", "A + P", loss, {f"losses.{loss}": 0.0})
        for loss in ("same", "cross", "adversarial")
    },
    "original": Ablation("original", "CE + triplet", "A + P", "", ORIGINAL),
    "original_p": Ablation("original", "CE + triplet", "P", "", {**ORIGINAL, **PROTOTYPE_ONLY}),
    "original_a": Ablation("original", "CE + triplet", "A", "", {**ORIGINAL, **STYLE_ONLY}),
    "original_ce": Ablation("original", "CE", "A + P", "", {**ORIGINAL, "losses.triplet": 0.0}),
}


def rows_of(text: str, values: Mapping[str, Any], names: Sequence[str]) -> list[Contender]:
    """Rows that are to be compared.

    text: the configuration, as the command line names it. values: settings that it changes in all rows. names: of
    `ABLATIONS`. Raises UserError for a name or a configuration that has no such rows.
    """
    (base,) = contenders([text], values)
    config = base.config
    if not base.trains:
        raise UserError(f"{text} is a run: name a configuration, which every row trains with something changed")
    if config.data.held_out:
        raise UserError(f"data.held_out is {config.data.held_out}: the table is of the test identities; leave it at 0")
    if config.method != HICMD:
        raise UserError(
            f"method is {config.method}: the rows leave out losses, samples and codes that hicmd alone has; name a "
            f"configuration of that"
        )
    if len({*names}) < len(names):
        raise UserError(f"a row is named twice in {', '.join(names)}: name each once")
    found: dict[str, Contender] = {}
    for name in names:
        if name not in ABLATIONS:
            raise UserError(f"there is no row {name}{nearest(name, ABLATIONS)}: the rows are {', '.join(ABLATIONS)}")
        changed, words = ABLATIONS[name].settings, ABLATIONS[name].words
        row = base._replace(name=name, config=with_values(config, changed), changed=changed, words=words)
        for key, without, says in (("sampling.groups", "original", "alternate"), ("losses.triplet", 0, "CE + triplet")):
            if value_of(row.config, key) == without and says in words.values():
                raise UserError(
                    f"{key} is {without}, and {name} is the row of {says}: leave that out, or this by --rows"
                )
        other = found.setdefault(configuration_hash(row.config), row).name
        if other != name:
            raise UserError(
                f"{other} and {name} are the same with this configuration: name the rows to train by --rows"
            )
    for key in values:
        if all(key in row.changed for row in found.values()):
            raise UserError(f"--{key}: the rows that are asked for set it themselves: leave it out")
    return [*found.values()]


def ablations(
    rows: Sequence[Contender], values: Mapping[str, Any], seeds: Sequence[int], out: Path, resume: bool, workers: int
) -> str:
    """Compares the rows, and writes into the folder what Fig. 4 shows, too: pictures of the first seed, two in a row,
    each with its name beneath. Arguments, result and errors as those of `compare`."""
    check(rows, values, False, {})
    said = compare(rows, values, seeds, out, resume, False, workers, ["--no-report"])
    files = {row.name: RunFolder(out / "runs" / f"{row.name}_{seeds[0]}").pictures / "final.png" for row in rows}
    cells = [
        Cell(np.asarray(opened(file)), [name.replace("_", " ")])
        for name, file in files.items()
        if file.is_file() and (name == "full" or ABLATIONS[name].removed)
    ]
    if cells:
        save_png(sheet([cells[start : start + 2] for start in range(0, len(cells), 2)]), out / FIG4)
    return said
