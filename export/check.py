"""Whether exported models describe as the run does that they were made of.

The same encoded pictures go through Keras, as in training and evaluation, and through each artefact, which decodes,
resizes and normalises for itself. Beyond the tolerances it fails. Every export runs this before its result appears.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.config import Config, with_data
from hicmd_tf.data.datasets import evaluated, load, published
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.export.artefacts import descriptors, open_artefacts
from hicmd_tf.export.branch import Source
from hicmd_tf.retrieval.embed import descriptors as described
from hicmd_tf.retrieval.evaluation import evaluate, main_figures
from hicmd_tf.retrieval.report import DIRECTIONS
from hicmd_tf.tables import as_text

Array = np.ndarray[Any, Any]

SHOWN = ("rank1", "mAP")
TOLERANCES = {  # largest cosine distance of one picture, largest loss of rank-1 and mAP, by words of an artefact's name
    "SavedModel": (1e-5, 0.005),
    "int8": (0.05, 0.01),
    "fp32": (1e-4, 0.005),  # its resizing may round a half otherwise, along whole edges of drawn pictures
}
TWO = 2  # queries that may be answered otherwise, however few there are


class Row(NamedTuple):
    """One artefact against Keras on so many pictures, of which at least `queries` are asked in either direction.

    difference: largest of any entry of a descriptor. distance: largest cosine distance, 1 - cos. figures: fractions by
    direction and name.
    """

    name: str
    pictures: int
    queries: int
    difference: float
    distance: float
    figures: dict[str, dict[str, float]]


def check(source: Source, folders: Sequence[Path], options: argparse.Namespace) -> list[Row]:
    """Keras' row, then one per artefact. Raises UserError when one is beyond its tolerance, or of other weights."""
    artefacts = [artefact for folder in folders for artefact in open_artefacts(folder)]
    for artefact in artefacts:
        if artefact.metadata["weights_sha256"] != source.branch.digest:
            raise UserError(
                f"{artefact.name} was exported after {artefact.metadata['steps']} steps with other weights than the "
                f"run has now, after {source.step}: export it again"
            )
    config = with_data(source.config, options.data, options.source, options.trial)
    samples = tested(config, options.identities)
    branch = source.branch
    own = described(
        lambda m, x: branch.describe(m, x).numpy(), samples, branch.height, branch.width, config.training.embed_batch
    )
    rows = [_row("Keras", own, own, samples, config)]
    rows += [_row(one.name, own, descriptors(one, samples), samples, config) for one in artefacts]
    for row in rows[1:]:
        _refuse_beyond(row, rows)
    return rows


def tested(config: Config, identities: int) -> Samples:
    """Pictures of the first so many people of those that the configuration is evaluated on, whom both modalities show;
    0: of all."""
    samples = evaluated(config, load(config.data))
    return samples.having(samples.shared()[:identities]) if identities else samples


def compared(own: Array, theirs: Array) -> tuple[float, float]:
    """Largest difference of an entry and largest cosine distance of a row, of descriptors (N, E)."""
    a, b = np.asarray(own, np.float64), np.asarray(theirs, np.float64)
    cosines = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return float(np.abs(a - b).max()), float((1 - cosines).max())


def _row(name: str, own: Array, theirs: Array, samples: Samples, config: Config) -> Row:
    rows = evaluate(theirs, samples, published(config.data, samples))
    return Row(name, len(samples), min(row.queries for row in rows), *compared(own, theirs), main_figures(rows))


def _refuse_beyond(row: Row, rows: Sequence[Row]) -> None:
    keras = rows[0].figures
    distance, loss = next(tolerance for words, tolerance in TOLERANCES.items() if words in row.name)
    lost = max(keras[way][name] - row.figures[way][name] for way in keras for name in SHOWN)
    loss = max(loss, TWO / row.queries)
    if not (row.distance <= distance and lost <= loss):  # a NaN is beyond every tolerance
        print(shown(rows))
        raise UserError(
            f"{row.name} differs from Keras by a cosine distance of {row.distance:.2g} (tolerance {distance:g}) and "
            f"loses {100 * lost:.2f} points (tolerance {100 * loss:.2g})"
        )


def shown(rows: Sequence[Row]) -> str:
    """The comparison as a table, figures in per cent."""
    ways = list(rows[0].figures)
    lines = [["", "pictures", "largest difference", "cosine distance"]]
    lines[0] += [f"{DIRECTIONS[way]} {name}" for way in ways for name in ("R-1", "mAP")]
    for row in rows:
        cells = [row.name, str(row.pictures), f"{row.difference:.1e}", f"{row.distance:.1e}"]
        lines.append(cells + [f"{100 * row.figures[way][name]:.2f}" for way in ways for name in SHOWN])
    return as_text(lines)
