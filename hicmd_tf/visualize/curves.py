"""`python -m hicmd_tf.visualize.curves`: what a run's losses did, as a picture."""

import argparse
import csv
import io
from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.errors import UserError, run_command
from hicmd_tf.files import replacing

PANELS = {
    "reconstruction (Eq. 1 to 3)": ("same", "cross", "cycle"),
    "codes (Eq. 4 and 6)": ("code", "kl"),
    "identity (Eq. 8 and 9)": ("cross_entropy", "triplet"),
    "identities named right": ("accuracy",),
    "mean score of D": ("real_score", "fake_score"),
    "alpha": ("alpha",),
}
COLUMNS = 2


def read_losses(path: Path) -> dict[str, list[float]]:
    """Columns of losses.csv by name. Raises UserError when there is none, or nothing in it."""
    if not path.is_file():
        raise UserError(f"{path} does not exist: name the folder of a run that has trained, with --run")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise UserError(f"{path} has no row yet: a row comes every training.log_every iterations")
    try:
        return {name: [float(row[name]) for row in rows] for name in rows[0]}
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}): expected one number a column in each row") from error


def draw_curves(losses: dict[str, list[float]]) -> bytes:
    """A PNG with a panel for each of `PANELS`, over the iterations."""
    from matplotlib.figure import Figure  # its import takes a second: mistakes come first

    lines = -(-len(PANELS) // COLUMNS)
    figure = Figure(figsize=(4.5 * COLUMNS, 2.4 * lines), layout="constrained")
    for (title, names), axes in zip(PANELS.items(), figure.subplots(lines, COLUMNS).flat, strict=True):
        for name in names:
            axes.plot(losses["step"], losses[name], label=name, linewidth=1)
        axes.set_title(title, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.legend(fontsize=8, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, writes the picture."""
    parser = argparse.ArgumentParser("python -m hicmd_tf.visualize.curves", description=__doc__)
    parser.add_argument("--run", required=True, metavar="DIR", type=Path, help="run folder that hicmd_tf.fit made")
    parser.add_argument("--out", required=True, metavar="FILE", type=Path, help="PNG to write")
    options = parser.parse_args(arguments)
    picture = draw_curves(read_losses(options.run / "losses.csv"))
    with replacing(options.out) as file:
        file.write(picture)


if __name__ == "__main__":
    run_command(main)
