"""One figure to choose settings by: mAP across modalities on held-out identities, averaged over both directions."""

from typing import Any

import numpy as np

from hicmd_tf.data.samples import Samples
from hicmd_tf.notation import INFRARED
from hicmd_tf.retrieval.evaluation import Figures, evaluate, main_figures
from hicmd_tf.retrieval.galleries import DIRECTIONS, Search, asking
from hicmd_tf.retrieval.protocols import ProtocolName

Array = np.ndarray[Any, Any]

RULES: dict[str, ProtocolName] = {"sysu_mm01": "sysu", "llcm": "llcm", "folder": "market1501"}
"""Which protocol's rules judge a data set; the others have RegDB's."""


def all_against_all(samples: Samples, data: str) -> list[Search]:
    """A search in each direction, every picture of one modality looked up among all of the other. data: the data set's
    name, whose rules hold; which directions and galleries its published tables have does not matter here."""
    searches = []
    for direction in DIRECTIONS:
        queries = asking(samples, direction.query)
        gallery = np.flatnonzero(samples.infrared == (direction.gallery == INFRARED))
        searches.append(Search("all pictures", direction, RULES.get(data, "regdb"), queries, [gallery]))
    return searches


def both_directions(descriptors: Array, samples: Samples, data: str) -> dict[str, Figures]:
    """Figures of each of these directions. descriptors: (N, E), one for each sample. Raises UserError as `evaluate`
    does."""
    return main_figures(evaluate(descriptors, samples, all_against_all(samples, data)))


def mean_map(figures: dict[str, Figures]) -> float:
    """Mean mAP of the directions, a fraction."""
    return float(np.mean([figure["mAP"] for figure in figures.values()]))
