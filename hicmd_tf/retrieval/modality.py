"""How much of a ranking across modalities is left when the pictures' own modality gets in the way, or is taken away.

Two rows for each direction, of the queries and galleries of its first search and by the same rules:

* `BOTH`: to each gallery G of the other modality, pictures O of the query's own are added, chosen as the gallery is:
  all where that is all, else one for each identity and camera. A query of person y ranks

      {g in G} and {o in O: y_o != y},

  and right are the pictures of y in G alone; those of y in O are neither right nor wrong, as are the pictures that the
  protocol hides. So a match must be nearer than strangers of the query's own modality, too: strong alignment, in the
  words of Roy, Constant, Al-Rfou, Barua, Phillips and Yang (LAReQA, EMNLP 2020), who ask it of languages; the main
  setting asks for weak alignment.
* `LESS`: the main setting by x' = (x - mean_m) / |x - mean_m|, with x of length 1 and mean_m the mean of all pictures
  of modality m that are evaluated, those of which no gallery is drawn among them. No identities are used, but many
  pictures at once. Libovický, Rosa and Fraser (Findings of EMNLP 2020) take the mean of each language away; the
  difference of the means is the modality gap of Liang, Zhang, Kwon, Yeung and Zou (NeurIPS 2022).
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import Search
from hicmd_tf.notation import INFRARED
from hicmd_tf.retrieval.distances import checked
from hicmd_tf.retrieval.evaluation import Row, by_direction, evaluate

Array = np.ndarray[Any, Any]

BOTH, LESS = "gallery of both modalities", "less each modality's mean"
SETTINGS = BOTH, LESS


def evaluate_modality(
    descriptors: Array, samples: Samples, searches: Iterable[Search], rerank: bool = False
) -> list[Row]:
    """Rows `BOTH` of each direction of the searches, then rows `LESS`.

    Args:
        descriptors: (N, E), one for each sample, any length but 0.
        samples: all that are evaluated.
        searches: those of the data set, of which the first in each direction is meant.
        rerank: another row after each, re-ranked; pictures that a query may not see are among its neighbours there, as
            in any re-ranking.

    Raises:
        UserError: as `evaluate` does.
    """
    asked = by_direction(searches).values()
    both = [search._replace(setting=BOTH, galleries=mixed(samples, search)) for search in asked]
    less = [search._replace(setting=LESS) for search in asked]
    rows = evaluate(descriptors, samples, both, rerank)
    rows += evaluate(less_means(descriptors, samples.infrared), samples, less, rerank)
    return [row._replace(hidden="") for row in rows]  # the main rows say it


def mixed(samples: Samples, search: Search) -> list[Array]:
    """The galleries of a search, rows of the samples, each with pictures of the query's modality after it."""
    everything = np.flatnonzero(samples.infrared == (search.direction.query == INFRARED))
    beside = search.beside or [everything] * len(search.galleries)
    return [np.concatenate(pair) for pair in zip(search.galleries, beside, strict=True)]


def less_means(descriptors: Array, infrared: Array) -> Array:
    """Descriptors of length 1 less the mean of those of their modality, of length 1 again.

    A picture that is at its modality's mean, as the only one of it is and as all are of a network that has collapsed,
    has no direction left: it gets one that is at right angles to all of the other modality.

    Args:
        descriptors: (N, E), any length but 0.
        infrared: (N,) bool, True where a picture is infrared.

    Returns:
        (N, E), or (N, E + 2) where a picture is at its mean.

    Raises:
        UserError: as `distances.checked` does.
    """
    found = checked(descriptors, "picture's")
    unit = (found.rows / found.lengths[:, None]).astype(found.rows.dtype)
    for of in (infrared, ~infrared):
        unit[of] -= unit[of].mean(axis=0, dtype=np.float64) if of.any() else 0
    lengths = np.linalg.norm(unit, axis=1, keepdims=True)
    still = lengths[:, 0] <= 16 * np.finfo(unit.dtype).eps  # what rounding leaves of 0
    unit /= np.where(still[:, None], 1, lengths)
    if still.any():
        unit[still] = 0
        unit = np.concatenate([unit, (still & ~infrared)[:, None], (still & infrared)[:, None]], 1, dtype=unit.dtype)
    return unit
