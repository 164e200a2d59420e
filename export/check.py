"""Whether exported models describe as the run does that they were made of.

The same encoded pictures go through Keras, as in training and evaluation, and through each artefact, which decodes,
resizes and normalises for itself. Beyond the tolerances it fails:

  SavedModel   cosine distance 1e-5, rank-1 and mAP half a point lower
  ONNX, fp32   1e-4, likewise: its resizing may round a half otherwise, along whole edges of drawn pictures
  ONNX, int8   0.05, rank-1 and mAP one point lower

(or two queries' worth, where fewer than 200 make that more than a point).

Every export runs this before its result appears.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hicmd_tf.errors import UserError

if TYPE_CHECKING:
    from hicmd_tf.export.artefacts import Artefact
    from hicmd_tf.export.source import Source

Figures = dict[str, dict[str, float]]

SHOWN = ("rank1", "mAP")
TWO = 2  # queries that may be answered otherwise, however few there are


class Tolerance(NamedTuple):
    """Largest cosine distance of one picture, largest loss of rank-1 and mAP in either direction, fractions."""

    distance: float
    loss: float


EXACT = Tolerance(1e-5, 0.005)
RESIZED = Tolerance(1e-4, 0.005)
QUANTISED = Tolerance(0.05, 0.01)


class Row(NamedTuple):
    """One artefact against Keras on so many pictures, of which `queries` are asked in either direction.

    difference: largest of any entry of a descriptor. distance: largest cosine distance, 1 - cos. figures: fractions by
    direction and name.
    """

    name: str
    pictures: int
    queries: int
    difference: float
    distance: float
    figures: Figures


def check(source: "Source", folders: Sequence[Path], options: argparse.Namespace) -> list[Row]:
    """Keras' row, then one per artefact. Raises UserError when one is beyond its tolerance, or of other weights."""
    from hicmd_tf.config import with_data
    from hicmd_tf.export.artefacts import descriptors, open_artefacts
    from hicmd_tf.export.source import tested
    from hicmd_tf.retrieval.embed import descriptors as described

    artefacts = [artefact for folder in folders for artefact in open_artefacts(folder)]
    for artefact in artefacts:
        _same_weights(source, artefact)
    config = with_data(source.config, options.data, options.source, options.trial)
    samples = tested(config, options.identities)
    own = described(source.branch, samples, source.branch.height, source.branch.width, config.training.embed_batch)
    queries, figures = _judged(own, samples, config)
    keras = Row("Keras", len(samples), queries, 0.0, 0.0, figures)
    rows = [keras]
    for artefact in artefacts:
        theirs = descriptors(artefact, samples)
        rows.append(
            Row(artefact.name, len(samples), queries, *compared(own, theirs), _judged(theirs, samples, config)[1])
        )
    for row in rows[1:]:
        _refuse_beyond(row, keras, _tolerance(row.name), rows)
    return rows


def compared(own: Any, theirs: Any) -> tuple[float, float]:
    """Largest difference of an entry and largest cosine distance of a row, of descriptors (N, E)."""
    import numpy as np

    a, b = np.asarray(own, np.float64), np.asarray(theirs, np.float64)
    cosines = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return float(np.abs(a - b).max()), float((1 - cosines).max())


def _judged(descriptors: Any, samples: Any, config: Any) -> tuple[int, Figures]:
    """The fewest queries of a direction, and the figures."""
    from hicmd_tf.data.datasets import published
    from hicmd_tf.retrieval.evaluation import evaluate, main_figures

    rows = evaluate(descriptors, samples, published(config.data, samples))
    return min(row.queries for row in rows), main_figures(rows)


def _same_weights(source: "Source", artefact: "Artefact") -> None:
    if artefact.metadata["weights_sha256"] != source.branch.digest:
        raise UserError(
            f"{artefact.name} was exported after {artefact.metadata['steps']} steps with other weights than the run "
            f"has now, after {source.step}: export it again"
        )


def _tolerance(name: str) -> Tolerance:
    """Of an artefact by its row's name."""
    if "ONNX" not in name:
        return EXACT
    return QUANTISED if "int8" in name else RESIZED


def _refuse_beyond(row: Row, keras: Row, tolerance: Tolerance, rows: list[Row]) -> None:
    lost = max(keras.figures[way][name] - row.figures[way][name] for way in keras.figures for name in SHOWN)
    loss = max(tolerance.loss, TWO / row.queries)
    if not (row.distance <= tolerance.distance and lost <= loss):  # a NaN is beyond every tolerance
        print(shown(rows))
        raise UserError(
            f"{row.name} differs from Keras by a cosine distance of {row.distance:.2g} (tolerance "
            f"{tolerance.distance:g}) and loses {100 * lost:.2f} points (tolerance {100 * loss:.2g})"
        )


def shown(rows: Sequence[Row]) -> str:
    """The comparison as a table, figures in per cent."""
    from hicmd_tf.retrieval.report import DIRECTIONS
    from hicmd_tf.tables import as_text

    ways = list(rows[0].figures)
    head = ["", "pictures", "largest difference", "cosine distance"]
    head += [f"{DIRECTIONS[way]} {name}" for way in ways for name in ("R-1", "mAP")]
    lines = [head]
    for row in rows:
        cells = [row.name, str(row.pictures), f"{row.difference:.1e}", f"{row.distance:.1e}"]
        lines.append(cells + [f"{100 * row.figures[way][name]:.2f}" for way in ways for name in SHOWN])
    return as_text(lines)
